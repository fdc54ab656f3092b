"""xmlsec's own tests: 251 runs of its command, 233 that succeed and 18 that fail.

`verifies` is said of the mathematics, with the certificates that the run names; what fails
there for want of trust must not pass with the anchors of that run.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import pem
from lxml import etree

from gateway.model import Indication
from gateway.trust import Trust
from gateway.verification import Verifier
from gateway.xml.parser import parse
from tests.corpus.tally import Tally
from tests.corpus.xml_mathematics import PERMISSIVE, looked_at, part, why_not_intact

REFERENCE = "{http://www.w3.org/2000/09/xmldsig#}Reference"
NOT_CLAIMED = (
    ("hmac-", "HMAC: a shared secret signs nothing"),
    ("#dsa-sha", "DSA"),
    ("ripemd160", "RIPEMD-160"),
    ("ml-dsa", "post-quantum signatures of xmlsec's own names"),
    ("slh-dsa", "post-quantum signatures of xmlsec's own names"),
    ("25519ctx", "Ed25519 with a context or prehashed"),
    ("25519ph", "Ed25519 with a context or prehashed"),
    ("448ph", "Ed448 prehashed"),
    ("RelationshipTransform", "the transform of Office packages"),
    ("REC-xslt", "XSLT is never run"),
    ("FMT-202", "a document type is never read"),
)
"""What stands in our answer → why we do not claim it."""

EXCEPTIONS = {
    "signature-rsa-detached-xslt-transform-retrieval-method": "its certificate lies elsewhere",
}
"""Good by xmlsec, not by us: reasons in docs/verifier-disagreements.md."""


@pytest.fixture(scope="module")
def tests(corpus: Path) -> Path:
    place = corpus / "signatures" / "xmlsec" / "tests"
    if not place.is_dir():
        pytest.skip("no xmlsec in the collection of foreign signatures")
    return place


def test_what_xmlsec_says_of_its_own_files_we_say_too(tests: Path, tmp_path: Path) -> None:
    good, bad = Tally("xmlsec, good"), Tally("xmlsec, bad")
    with (tests.parent / "EXPECTED_dsig.tsv").open(encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines, delimiter="\t")):
            path = _file(tests, row)
            if row["expected"] == "res_success":
                _good(good, tests, path, row)
            else:
                _bad(bad, path, row, tests, tmp_path / str(number))
    claimed = [line for line in good.lines if line.standing != "undecided"]
    bad.require(right_min=18)
    good.require(right_min=127)
    assert len(claimed) + good.count("undecided") == 233


def _file(tests: Path, row: dict[str, str]) -> Path:
    name = row["name"].strip("/")
    # The collection wrote one name with a tilde.
    alternatives = (f"{name}.xml", f"{name.replace('manifest-', '~')}.xml")
    for alternative in alternatives:
        path = tests / row["folder"] / alternative
        if path.is_file():
            return path
    raise AssertionError(f"{name} is not in the collection")


def _good(tally: Tally, tests: Path, path: Path, row: dict[str, str]) -> None:
    known = [*_certificates(tests, path, row), *_public_keys(tests, row)]
    found = looked_at(path, _beside(tests, path, row), known)
    why = "; ".join(filter(None, map(why_not_intact, found))) or ("" if found else "none found")
    if not why:
        tally.add("right", path.stem)
        return
    reasons = [reason for words, reason in NOT_CLAIMED if words in why]
    reason = reasons[0] if reasons else EXCEPTIONS.get(path.stem, "")
    tally.add("undecided" if reason else "wrong", path.stem, reason or why)


def _bad(tally: Tally, path: Path, row: dict[str, str], tests: Path, anchors: Path) -> None:
    """A bad run fails with us too: by its mathematics, or with the trust of that run."""
    anchors.mkdir()
    for number, octets in enumerate(_certificates(tests, path, row, "trusted")):
        (anchors / f"{number}.der").write_bytes(octets)
    verifier = Verifier(Trust.load([anchors], PERMISSIVE), PERMISSIVE)
    moment = re.search(r"--verification-gmt-time (\d+-\d+-\d+)", row["verify_args"] or "")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    if moment:
        at = datetime.fromisoformat(moment[1]).replace(tzinfo=UTC)
    report = verifier.verify(part(path.read_bytes()), (), at)
    passed = report.indication is Indication.TOTAL_PASSED
    tally.add("wrong" if passed else "right", path.stem)


def _certificates(
    tests: Path, path: Path, row: dict[str, str], kinds: str = "trusted|untrusted|pubkey-cert"
) -> Iterator[bytes]:
    arguments = f"{row['verify_args']} {row['verify_args2']}"
    if kinds == "trusted":
        arguments = row["verify_args"] or ""
    for name in re.findall(rf"--(?:{kinds})\S* +(\S+)", arguments):
        place = Path(name.replace("$topfolder", str(tests)).replace("$cert_format", "der"))
        for folder in (tests, path.parent):
            for suffix in (".der", ".pem", ".crt"):
                file = folder / place.with_suffix(suffix)
                if file.is_file():
                    octets = file.read_bytes()
                    yield pem.unarmor(octets)[2] if pem.detect(octets) else octets


def _public_keys(tests: Path, row: dict[str, str]) -> Iterator[bytes]:
    """Yield the bare keys that a run is given."""
    for name in re.findall(r"\$\w*pub_key_option\S* +(\S+)", row["verify_args"] or ""):
        place = Path(name.replace("$topfolder", str(tests)).split("-pubkey")[0] + "-pubkey.pem")
        if place.is_file():
            yield pem.unarmor(place.read_bytes())[2]


def _beside(tests: Path, path: Path, row: dict[str, str]) -> Path | None:
    """Return the one file that the signature names outside itself, if it is one."""
    try:
        root = parse(path.read_bytes())
    except Exception:  # noqa: BLE001 (refused files are judged by the test, not here)
        return None
    uris = {one.get("URI") for one in _references(root)} - {None}
    outside = sorted(uri for uri in uris if uri and not uri.startswith("#"))
    if len(outside) != 1:
        return None
    external = tests / "external-data"
    known = {
        "http://www.ietf.org/rfc/rfc3161.txt": external / "rfc3161.txt",
        "http://www.w3.org/TR/xml-stylesheet": external
        / ("xml-stylesheet-2018" if "2018" in row["verify_args"] else "xml-stylesheet-2005"),
        "http://www.w3.org/Signature/2002/04/xml-stylesheet.b64": external
        / "xml-stylesheet-2005.b64",
    }
    for file in (known.get(outside[0]), path.parent / outside[0], tests / outside[0]):
        if file is not None and file.is_file():
            return file
    return None


def _references(root: etree._Element) -> Iterator[etree._Element]:
    yield from root.iter(REFERENCE)
