"""NIST's PKITS: 246 ways to get a certification path wrong, or to refuse a right one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509

from gateway.algorithms import standard
from gateway.model import Indication
from gateway.trust import PathPolicy, Purpose, Trust
from gateway.trust.definite import read_der
from gateway.trust.material import read_list
from tests.corpus.tally import Tally

ALGORITHMS = standard()
AT = datetime(2020, 1, 1, tzinfo=UTC)
CASES = 246
PARAMETERS = {
    "user_initial_policy_set": "policies",
    "initial_explicit_policy": "explicit_policy",
    "initial_policy_mapping_inhibit": "policy_mapping_inhibited",
    "initial_any_policy_inhibit": "any_policy_inhibited",
}
"""The words of the suite, and ours."""

DSA = {"valid_dsa_signatures_test4", "valid_dsa_parameter_inheritance_test5"}
"""Right as paths; refused by our algorithms, with which nobody signs by DSA."""

AUTHORITIES = {
    "valid_pathlenconstraint_test8",
    "valid_pathlenconstraint_test14",
    "overlapping_policies_test6",
    "overlapping_policies_test6_with_testpol1",
    "valid_onlycontainscacerts_crl_test13",
}
"""Paths to an authority's own certificate: right as paths, but an authority signs no documents."""

Case = dict[str, Any]


@pytest.fixture(scope="module")
def folder(corpus: Path) -> Path:
    found = corpus / "signatures" / "nist-pkits"
    if not found.is_dir():
        pytest.skip("no PKITS in the collection of foreign signatures")
    return found


@pytest.fixture(scope="module")
def cases(folder: Path) -> list[Case]:
    found = json.loads((folder / "pkits.json").read_text())
    assert len(found) == CASES
    return list(found)


WAITS, REVOKED = {"TRY_LATER"}, {"REVOKED", "REVOKED_CA_NO_POE"}
REASONS = {
    "InsufficientRevinfoError": WAITS,
    "StaleRevinfoError": WAITS,
    "RevokedError": REVOKED,
}
"""Of the kinds of error that the collection names, the sub-indications they are with us; all
others are faults of the path itself."""


def test_every_path_is_judged_as_nist_says(folder: Path, cases: list[Case]) -> None:
    """The path alone, with the user's policies of each case, and for the right reason."""
    tally = Tally("NIST PKITS, paths")
    for case in cases:
        word = _word(folder, case, "path", weak=True)
        tally.add("right" if _is_right(case, word) else "wrong", case["name"], word or "")
    tally.require(right_min=CASES)


def test_two_kinds_of_right_paths_are_no_signers(folder: Path, cases: list[Case]) -> None:
    """Asked for signers, we differ by name: authorities do not sign, and nobody by DSA."""
    wrong = {
        case["name"]
        for case in cases
        if (_word(folder, case, "signing", weak=False) is None) is ("error" in case)
    }
    assert wrong == AUTHORITIES | DSA


def _is_right(case: Case, word: str | None) -> bool:
    if "error" not in case:
        return word is None
    reasons = REASONS.get(case["error"]["class"])
    return word in reasons if reasons else word not in {None, *WAITS, *REVOKED}


def _readable(read: Callable[[bytes], object], octets: bytes) -> bool:
    """Say whether a folder of trust would take it: three of NIST's signatures are not octets."""
    try:
        read(octets)
    except ValueError:
        return False
    return True


_is_certificate = partial(_readable, partial(read_der, x509.Certificate))
_is_list = partial(_readable, read_list)


def _word(folder: Path, case: Case, purpose: Purpose, *, weak: bool) -> str | None:
    """Return the sub-indication, None for a pass."""

    def read(kind: str, name: str) -> bytes:
        return (folder / "PKITS_data" / kind / name).read_bytes()

    asked = {PARAMETERS[key]: value for key, value in case.get("params", {}).items()}
    if "policies" in asked:
        asked["policies"] = frozenset(asked["policies"])
    crls = [read("crls", name) for name in ["TrustAnchorRootCRL.crl", *case.get("crls", [])]]
    trust = Trust(
        [read("certs", "TrustAnchorRootCertificate.crt")],
        list(filter(_is_certificate, (read("certs", one) for one in case.get("other_certs", [])))),
        list(filter(_is_list, crls)),
        algorithms=ALGORITHMS,
        policy=PathPolicy(weak_algorithms=weak, **asked),
    )
    found = trust.judge(read("certs", str(case["cert"])), (), AT, purpose=purpose)
    assert (found.status is Indication.TOTAL_PASSED) is (found.sub_indication is None)
    return found.sub_indication
