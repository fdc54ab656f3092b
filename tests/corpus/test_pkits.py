"""NIST's PKITS: 246 ways to get a certification path wrong, or to refuse a right one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.algorithms import standard
from gateway.algorithms.interface import Algorithms
from gateway.model import Indication
from gateway.trust import Trust

AT = datetime(2020, 1, 1, tzinfo=UTC)
DSA = ("40104", "40105")
"""DSA is good in the suite and refused by us: nobody signs health documents with it."""


AUTHORITIES = {
    "valid_pathlenconstraint_test8",
    "valid_pathlenconstraint_test14",
    "overlapping_policies_test6",
    "valid_onlycontainscacerts_crl_test13",
}
"""Paths to an authority's own certificate: right as paths, but an authority signs no documents."""


def test_every_path_without_policy_settings_is_judged_as_nist_says(corpus: Path) -> None:
    folder = corpus / "signatures" / "nist-pkits"
    if not folder.is_dir():
        pytest.skip("no PKITS in the collection of foreign signatures")
    algorithms = standard()
    cases = json.loads((folder / "pkits.json").read_text())
    # Thirty-three cases set the user's policies, which a signature's judge has no use for.
    asked = [c for c in cases if "params" not in c and c["id"] not in DSA]
    wrong = {
        case["name"]
        for case in asked
        if _passes(folder / "PKITS_data", case, algorithms) is ("error" in case)
    }
    assert len(asked) == 211
    assert wrong == AUTHORITIES


def _passes(folder: Path, case: dict[str, list[str]], algorithms: Algorithms) -> bool:
    def read(kind: str, name: str) -> bytes:
        return (folder / kind / name).read_bytes()

    trust = Trust(
        [read("certs", "TrustAnchorRootCertificate.crt")],
        [read("certs", name) for name in case.get("other_certs", [])],
        [read("crls", name) for name in ["TrustAnchorRootCRL.crl", *case.get("crls", [])]],
        algorithms=algorithms,
    )
    found = trust.judge(read("certs", str(case["cert"])), (), AT)
    return found.status is Indication.TOTAL_PASSED
