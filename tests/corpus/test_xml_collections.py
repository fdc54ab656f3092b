"""XML signatures of other collections: EU DSS, SMEV, SAML attacks, signxml, CryptoPro.

Each prints its table with `pytest -s`; where we differ from the source stands, with our reason,
in docs/verifier-disagreements.md.
"""

from __future__ import annotations

import base64
import binascii
import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from asn1crypto import pem

from gateway.model import CheckedSignature, Indication
from gateway.signatures import xml
from gateway.signatures.directory import Directory
from tests.corpus.tally import Tally
from tests.corpus.xml_mathematics import PERMISSIVE, looked_at, part, why_not_intact


@pytest.fixture(scope="module")
def signatures(corpus: Path) -> Path:
    return corpus / "signatures"


# --- EU DSS ------------------------------------------------------------------------------

BESIDE = {
    "X-B-LT-detached.xml": "sample.xml",
    "X-E-ERS-DETACHED-LT-data-not-covered.xml": "sample.xml",
    "dss1688.xml": "dss1688-detached-content.xml",
    "simple-test.signed-only-detached-LuxTrustCA3.xml": "simple-test.xml",
}
"""Detached signatures → the file beside them."""

NOT_HERE = ("external reference, never fetched", "no URI")

DSS_SOUND_NOT_INTACT = {
    "Signature-X-BG-1.xml": "the reference `#` names nothing, and its digest fits nothing",
    "dss-signed-altered-signedPropsRemoved.xml": "altered after signing, as its name says",
    "valid-xades-policyId-newlines.xml": "indented after signing; the hint says so",
    "xades-unsupported-signature-algorithm.xml": "the method is an object identifier",
}

DSS_FAULTED_PASSES = {
    "X-E-ERS-LT.xml": "its record holds; DSS refuses to add anything to it",
    "X-E-ERS-basic.xml": "its record holds; DSS refuses to add anything to it",
    "Signature-X-AT-1.xml": "XAdES 1.1.1, read as later versions are",
    "Signature-X-LT-5b5edd31-344d-4d66-8e95-79f9acaab566.xml": "trust, not mathematics",
    "disable-checks.xml": "DSS switches its own checks off",
}
"""Faulted by a test of DSS, with nothing wrong in the file that we can see."""


def test_sound_files_of_dss_are_intact(signatures: Path) -> None:
    files = {path.name: path for path in (signatures / "dss").rglob("*.xml")}
    tally = Tally("DSS XAdES, not faulted")
    for row in _rows(signatures / "dss" / "EXPECTED_xades.tsv"):
        if row["dss_faults_it"] == "yes":
            continue
        beside = files.get(BESIDE.get(row["file"], ""))
        found = looked_at(files[row["file"]], beside)
        why = "; ".join(filter(None, map(why_not_intact, found)))
        if found and not why:
            tally.add("right", row["file"])
        elif row["file"] in DSS_SOUND_NOT_INTACT:
            tally.add("undecided", row["file"], DSS_SOUND_NOT_INTACT[row["file"]])
        elif any(words in why for words in NOT_HERE):
            tally.add("undecided", row["file"], "detached, and its files are not at hand")
        else:
            tally.add("wrong", row["file"], why or "no signature found")
    tally.require(right_min=120)


def test_what_dss_faults_is_reported(signatures: Path) -> None:
    """Refused, partial, a bad time stamp or counter-signature, or said in a hint."""
    files = {path.name: path for path in (signatures / "dss").rglob("*.xml")}
    tally = Tally("DSS XAdES, faulted")
    for row in _rows(signatures / "dss" / "EXPECTED_xades.tsv"):
        if row["dss_faults_it"] == "no":
            continue
        found = looked_at(files[row["file"]])
        if not found or any(map(_reported, found)):
            tally.add("right", row["file"])
        elif row["file"] in DSS_FAULTED_PASSES:
            tally.add("undecided", row["file"], DSS_FAULTED_PASSES[row["file"]])
        else:
            tally.add("wrong", row["file"], "nothing reported")
    tally.require(right_min=52)


def _reported(one: CheckedSignature) -> bool:
    if one.indication is not Indication.TOTAL_PASSED:
        return True
    if any(stamp.indication is not Indication.TOTAL_PASSED for stamp in one.timestamps):
        return True
    return any(map(_reported, one.counter_signatures))


def test_no_wrapping_fake_of_dss_is_ever_full(signatures: Path) -> None:
    fakes = sorted((signatures / "dss").rglob("XSW*.xml"))
    assert len(fakes) >= 6
    for path in fakes:
        for one in looked_at(path):
            assert all(c.scope != "FULL" and not c.covers_enclosing for c in one.covered), path


def _rows(table: Path) -> Iterator[dict[str, str]]:
    with table.open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines, delimiter="\t")


# --- SMEV --------------------------------------------------------------------------------


def test_smev_samples_are_judged_and_explained(signatures: Path) -> None:
    """11 signatures hold; 10 were indented after signing, and the hint says exactly that."""
    place = signatures / "ru-smev3-official"
    good, bad = Tally("SMEV, good"), Tally("SMEV, refused")
    for row in _rows(place / "EXPECTED.tsv"):
        expected = row["as_is"].split(";")
        found = looked_at(place / row["file"])
        assert len(found) == len(expected), row["file"]
        for one, words in zip(found, expected, strict=True):
            if words == "sig=OK,dig-ok":
                passed = one.indication is Indication.TOTAL_PASSED
                good.add("right" if passed else "wrong", row["file"], why_not_intact(one))
                continue
            refused = one.indication is Indication.TOTAL_FAILED
            hinted = any("SignedInfo reformatted after signing" in hint for hint in one.hints)
            bad.add("right" if refused and hinted else "wrong", row["file"])
    good.require(right_min=11)
    bad.require(right_min=10)


def test_smev_signs_the_transformed_octets(signatures: Path) -> None:
    (one,) = looked_at(signatures / "ru-smev3-official" / "AckRequest.xml")
    (covered,) = one.covered
    assert covered.octets.startswith(b"<ns1:AckTargetMessage xmlns:ns1=")
    assert (covered.scope, covered.covers_enclosing) == ("PARTIAL", False)


# --- SAML --------------------------------------------------------------------------------

ATTACK = re.compile(
    r"attack|wrap|xsw|xee|multiple|tamper|changed|invalid_signature|comment|fake|misplaced"
    r"|digest_empty|missing_digest|no_signed|without_digest|invalid_uri|invalid.signature",
    re.IGNORECASE,
)
HONEST = {
    # Signed by xmlseclibs, without URI; only its name speaks of comments.
    "sign-c14-comments.res",
}
READ_WHOLE = {
    # A comment inside a name: the octets that are digested, and read, have the text whole.
    "response_node_text_attack2.xml.base64",
}


def test_no_saml_attack_passes_as_covering_what_it_attacks(signatures: Path) -> None:
    tally = Tally("SAML attacks")
    for path in sorted((signatures / "saml-xsw").rglob("*")):
        octets = _saml(path)
        if octets is None or path.name in HONEST or not ATTACK.search(path.name):
            continue
        found = xml.check(part(octets), (), PERMISSIVE)
        whole = any(
            one.indication is Indication.TOTAL_PASSED
            and any(covered.covers_enclosing for covered in one.covered)
            for one in found
        )
        if whole and path.name in READ_WHOLE:
            assert b"<!--" not in found[0].covered[0].octets
            whole = False
        tally.add("wrong" if whole else "right", path.name)
    tally.require(right_min=30)


def _saml(path: Path) -> bytes | None:
    """Return the signed XML in a file, which may be base64 of it."""
    if not path.is_file():
        return None
    octets = path.read_bytes()
    if b"SignatureValue" in octets:
        return octets[max(octets.find(b"<"), 0) :]
    try:
        inner = base64.b64decode(octets)
    except (binascii.Error, ValueError):
        return None
    return inner if b"SignatureValue" in inner else None


# --- signxml and CryptoPro ---------------------------------------------------------------

NOT_CLAIMED = ("hmac-", "dsa-sha", "ripemd160", "REC-xslt", "FMT-202")
NO_KEY = ("not followed", "none in KeyInfo")
BROKEN = {
    "invalid_enveloped_transform.xml",
    "signature-rsa-enveloped-bad-digest-val.xml",
    "signature-rsa-enveloped-bad-sig.xml",
    "nonconformant-dss-signed-altered-refRemoved.xml",
    "invalid wss resp - changed content.xml",
    "request.xml",  # its Ids were blacked out by whoever published it
    *DSS_SOUND_NOT_INTACT,
}


def test_the_interoperability_files_of_signxml_hold(signatures: Path) -> None:
    tally = Tally("signxml")
    at_hand = tuple(_certificates(signatures / "signxml"))
    for path in sorted((signatures / "signxml" / "test").rglob("*.xml")):
        if b"SignatureValue" not in path.read_bytes():
            continue
        found = looked_at(path, directory=Directory(lambda: at_hand))
        why = "; ".join(filter(None, map(why_not_intact, found)))
        if path.name in BROKEN:
            tally.add("right" if why else "wrong", path.name)
        elif found and not why:
            tally.add("right", path.name)
        elif any(words in why for words in (*NOT_CLAIMED, *NO_KEY, *NOT_HERE)):
            tally.add("undecided", path.name, why[:100])
        else:
            tally.add("wrong", path.name, why[:100])
    tally.require(right_min=129)


def _certificates(place: Path) -> Iterator[bytes]:
    """Yield the certificates that lie in a collection, which a signature may only name."""
    for path in sorted(place.rglob("*")):
        if path.suffix in (".crt", ".der", ".pem"):
            octets = path.read_bytes()
            several = pem.unarmor(octets, multiple=True) if pem.detect(octets) else ()
            yield from (der for _, _, der in several) if several else (octets,)


def test_cryptopro_and_gost_files_hold(signatures: Path) -> None:
    tally = Tally("CryptoPro and GOST XML")
    gost = sorted((signatures / "xmlsec/tests/aleksey-xmldsig-01").glob("enveloped-gost*.xml"))
    for path in (*sorted((signatures / "cryptopro-xmldsig").glob("*.xml")), *gost):
        (one,) = looked_at(path)
        passed = one.indication is Indication.TOTAL_PASSED
        tally.add("right" if passed else "wrong", path.name, why_not_intact(one))
    tally.require(right_min=13)
