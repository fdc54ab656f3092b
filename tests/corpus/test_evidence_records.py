"""Evidence records of another maker: their trees and tokens, and the files they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.algorithms.policy import permissive
from gateway.model import Indication
from gateway.signatures import evidence_records as records
from gateway.signatures import xml as form
from gateway.signatures.findings import Flaw
from gateway.signatures.hash_trees import root_of
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.made import beside, document

FOLDER = "signatures/dss/dss-xades/src/test/resources/validation/evidence-record"
OLD = ALGORITHMS.under(permissive()).at(NOW)
WITH_OBJECTS = {
    "evidence-record-X-E-ERS-LT.ers": 1,
    "evidence-record-detached.ers": 1,
}
"""Files and how many of their objects are in the collection."""


DETACHED = "sample.xml"
IN_SIGNATURES = {
    "Double-sig-X-E-ERS-LT.xml": "P P",
    "X-B-LT-with-counter-sig-X-E-ERS.xml": "P",
    "X-E-ERS-DETACHED-LT-chain-renewal.xml": "PPP",
    "X-E-ERS-DETACHED-LT-data-not-covered-chain-renewal-invalid.xml": "F",
    "X-E-ERS-DETACHED-LT-data-not-covered-chain-renewal.xml": "PP",
    "X-E-ERS-DETACHED-LT-data-not-covered.xml": "P",
    "X-E-ERS-DETACHED-LT-orphan-ref.xml": "P",
    "X-E-ERS-DETACHED-LT-sig-invalid-digest.xml": "F",
    "X-E-ERS-DETACHED-LT-sig-not-covered.xml": "F",
    "X-E-ERS-DETACHED-LT.xml": "P",
    "X-E-ERS-LT.xml": "P -",
    "X-E-ERS-MANIFEST.xml": "I",
    "X-E-ERS-basic-asn1.xml": "P",
    "X-E-ERS-basic-chain-renewal-master-sig-not-found.xml": "F",
    "X-E-ERS-basic-chain-renewal.xml": "PPP",
    "X-E-ERS-basic.xml": "P",
    "X-E-ERS-two-ers.xml": "PP",
    "X-E-ERS-two-parallel-ers-one-invalid.xml": "PF",
    "X-E-ERS-two-parallel-ers-one-tst-invalid.xml": "PF",
    "X-E-ERS-two-parallel-ers.xml": "PP",
    "X-E-ERS-with-counter-sig.xml": "P",
    "XAdES-B_ER_Renewed_can.xml": "PP",
    "XAdES-B_ER_Renewed_no_can.xml": "F",
}
"""Stamps of each signature's records: passed, failed, indeterminate.  What a file's name says of
data that are not covered means a list of their own: they are in the digest of the group."""


@pytest.mark.parametrize("name", IN_SIGNATURES)
def test_records_in_signatures_of_another_maker_come_out_as_they_were_made(
    corpus: Path, name: str
) -> None:
    folder = corpus / FOLDER
    file = (folder / name).read_bytes()
    if "DETACHED" in name:
        found = form.check(document((folder.parents[1] / DETACHED).read_bytes()), beside(file), OLD)
    else:
        found = form.check(document(file, "application/xml"), (), OLD)
    if "with-counter-sig-X" in name:
        found = found[0].counter_signatures
    told = (
        "".join(
            {"TOTAL_PASSED": "P", "TOTAL_FAILED": "F", "INDETERMINATE": "I"}[stamp.indication]
            for stamp in one.timestamps
            if stamp.kind == "archive"
        )
        for one in found
    )
    assert " ".join(one or "-" for one in told) == IN_SIGNATURES[name]


def test_trees_and_tokens_of_another_maker_hold(corpus: Path) -> None:
    folder = corpus / FOLDER
    files = sorted(folder.rglob("*.ers"))
    assert len(files) >= 5
    held, covering = 0, {}
    neighbours = {
        OLD.digest("sha256", one.read_bytes()) for one in folder.iterdir() if one.is_file()
    }
    for file in files:
        record = records.read(file.read_bytes())
        for stamp in record.stamps:

            def digest(octets: bytes, name: str = stamp.digest) -> bytes:
                return OLD.digest(name, octets)

            if stamp.lists:
                root = root_of(stamp.lists, digest)
                checked = records.check_stamp(stamp, root, OLD)
                assert checked.indication is Indication.TOTAL_PASSED, (file.name, checked.checks)
                held += 1
                covering[file.name] = len(neighbours & set(stamp.lists[0]))
        if all(stamp.lists for stamp in record.stamps):
            with pytest.raises(Flaw):
                records.roots(record, [b"something else"], (), OLD)
    assert held >= 4
    assert {name: covering[name] for name in WITH_OBJECTS} == WITH_OBJECTS
