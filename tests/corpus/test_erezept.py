"""A country's e-prescriptions: does each signature hold, and is it over what carries it?

Real cryptography of test authorities: BER of indefinite length, brainpool curves, CMS in XML
and in JSON, detached JWS over canonical JSON.  The tables beside the files say of each
signature whether it holds, and whether it signs the bundle around it; ours must agree with
them file by file.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from gateway.model import CheckedSignature, CheckStatus, Indication, Part
from gateway.signatures import cms, fhir_signature
from tests.corpus.place import CORPUS, MISSING
from tests.corpus.tally import Tally
from tests.pki.build import ALGORITHMS

PLACE = CORPUS / "signatures" / "erezept-fhir"
if not PLACE.is_dir():
    pytest.skip(MISSING, allow_module_level=True)

MEDIA_TYPES = {".json": "application/fhir+json", ".xml": "application/fhir+xml"}


def table(name: str) -> dict[str, list[dict[str, str]]]:
    """Return the rows of a table by file, of the files that are here."""
    rows = defaultdict(list)
    with (PLACE / name).open(encoding="utf-8") as octets:
        for row in csv.DictReader(octets, delimiter="\t"):
            if (PLACE / row["file"]).is_file():
                rows[row["file"]].append(row)
    return rows


def checked(file: str) -> tuple[CheckedSignature, ...]:
    path = PLACE / file
    if path.suffix in MEDIA_TYPES:
        part = Part(name="document", media_type=MEDIA_TYPES[path.suffix], body=path.read_bytes())
        return fhir_signature.check(part, (), ALGORITHMS)
    part = Part(name="document", media_type="application/octet-stream", body=path.read_bytes())
    return cms.check(part, (), ALGORITHMS)


def integrity(one: CheckedSignature) -> str:
    """Say in the table's words whether content and value hold, whatever else is missing."""
    holds = {check.name: check.status for check in one.checks}.get("signature_value")
    if holds is CheckStatus.PASSED and one.covered:
        return "OK" if one.indication is not Indication.TOTAL_FAILED else "REFUSED"
    return "FAIL" if one.indication is Indication.TOTAL_FAILED else "UNDECIDED"


def described(row: dict[str, str]) -> tuple[str, int | None]:
    size = row["note"].partition("econtent=")[2]
    return row["integrity"], int(size) if size else None


def test_every_signature_holds_or_fails_as_the_table_says() -> None:
    tally = Tally("erezept-fhir integrity")
    for file, rows in table("EXPECTED_integrity.tsv").items():
        ours = Counter(_described(checked(file)))
        for row in rows:
            wanted = described(row)
            fitting = [o for o in ours if o[0] == wanted[0] and wanted[1] in (o[1], None)]
            if fitting and ours[fitting[0]] > 0:
                ours[fitting[0]] -= 1
                tally.add("right", file)
            else:
                tally.add("wrong", file, f"{wanted}, ours {dict(ours)}")
    tally.require(right_min=358)


def _described(several: tuple[CheckedSignature, ...]) -> Iterator[tuple[str, int]]:
    for one in several:
        yield integrity(one), len(one.covered[0].octets) if one.covered else 0


def test_every_signature_covers_its_bundle_or_another_as_the_table_says() -> None:
    """Covering another bundle is never FULL, and never passes for covering this one."""
    tally = Tally("erezept-fhir coverage")
    words = {"EQUAL": True, "DIFFERENT": False}
    for file, rows in table("EXPECTED_coverage.tsv").items():
        ours = Counter(_coverage(checked(file)))
        for row in rows:
            said = row["signed_content_vs_enclosing_Bundle"]
            wanted = words.get(said, False)
            if ours[wanted] > 0:
                ours[wanted] -= 1
                tally.add("right", file)
            else:
                tally.add("wrong", file, f"{said}, ours {dict(ours)}")
    tally.require(right_min=149)


def _coverage(several: tuple[CheckedSignature, ...]) -> Iterator[bool | None]:
    for one in several:
        if not one.place.endswith("/data"):
            for covered in one.covered:
                assert covered.covers_enclosing or covered.scope != "FULL"
                yield covered.covers_enclosing


def test_a_json_bundle_that_lost_its_id_fails_with_the_reason_suspected() -> None:
    for file, rows in table("EXPECTED_integrity.tsv").items():
        if any(row["note"] == "Bundle.id ABSENT" for row in rows):
            failed = [one for one in checked(file) if integrity(one) == "FAIL"]
            assert failed
            for one in failed:
                assert "the bundle has no id: it may have been dropped after signing" in one.hints
