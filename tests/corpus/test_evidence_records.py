"""Evidence records of another maker: their trees and tokens, and the files they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.algorithms.policy import permissive
from gateway.model import Indication
from gateway.signatures import evidence_records as records
from gateway.signatures.findings import Flaw
from gateway.signatures.hash_trees import root_of
from tests.pki.build import ALGORITHMS, NOW

FOLDER = "signatures/dss/dss-xades/src/test/resources/validation/evidence-record"
OLD = ALGORITHMS.under(permissive()).at(NOW)
WITH_OBJECTS = {
    "evidence-record-X-E-ERS-LT.ers": 1,
    "evidence-record-detached.ers": 1,
}
"""Files and how many of their objects are in the collection."""


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
