"""OpenSSL's OCSP answers: right ones, and one thing wrong with each of the others.

The responders are of 2012, with SHA-1 and MD5, so they are judged with weak algorithms let
in; that of `D3` names no way to ask about itself.  `ND` answers are signed by the issuer, `D`
by a responder it delegated to; 1 is an intermediate authority's answer on a signer, 2 a
root's on an authority, 3 a root's on a signer.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import ocsp, pem

from gateway.algorithms import standard
from gateway.model import Indication
from gateway.trust import PathPolicy, Trust
from tests.corpus.tally import Tally

PLACES = ("ND1", "ND2", "ND3", "D1", "D2", "D3")
DELEGATED = ("D1", "D2", "D3")
CERTIFICATES = {
    "ND1": ("ND1_Cert_EE", "ND1_Issuer_ICA"),
    "ND2": ("ND2_Cert_ICA", "ND2_Issuer_Root"),
    "ND3": ("ND3_Cert_EE", "ND3_Issuer_Root"),
    "D1": ("D1_Cert_EE", "D1_Issuer_ICA"),
    "D2": ("D2_Cert_ICA", "D2_Issuer_Root"),
    "D3": ("D3_Cert_EE", "D3_Issuer_Root"),
}
WRONG_ANSWERS = {
    "ISOP": ("invalid signature of the answer", PLACES),
    "WRID": ("wrong responder named", PLACES),
    "WINH": ("wrong hash of the issuer's name", PLACES),
    "WIKH": ("wrong hash of the issuer's key", PLACES),
    "WKDOSC": ("wrong key in the responder's certificate", DELEGATED),
    "ISDOSC": ("invalid signature of the responder's certificate", DELEGATED),
}
WRONG_ISSUERS = {"WSNIC": "wrong name in the issuer", "WKIC": "wrong key in the issuer"}
IN_CHAIN = datetime(2012, 10, 12, tzinfo=UTC)
"""When both answers of the chain of three are in force."""

POLICY = PathPolicy(weak_algorithms=True, silent_responders=True)

DIRECT = datetime(2012, 10, 12, tzinfo=UTC)
DELEGATED_AT = datetime(2012, 10, 23, 11, tzinfo=UTC)
SPOILED_AT = datetime(2012, 10, 11, 14, tzinfo=UTC)
UNSIGNED_AT = datetime(2012, 10, 10, 14, tzinfo=UTC)
FAULTS = {
    "ISOP": "response_signature",
    "WRID": "wrong_responder_id",
    "WINH": "wrong_issuer_name_hash",
    "WIKH": "wrong_issuer_key_hash",
    "WKDOSC": "wrong_key_in_signing_cert",
    "ISDOSC": "signature_on_signing_cert",
}
FAULTS_OF_ANSWERS = ("ISOP", "WRID", "WINH", "WIKH")


@dataclass(frozen=True)
class Case:
    """One of the 29 cases of certvalidator's suite (tests/fixtures/openssl-ocsp.json)."""

    name: str
    root: str
    middle: str
    signer: str
    answers: tuple[str, ...]
    at: datetime
    passes: bool = False


def cases() -> list[Case]:
    """Return the cases under certvalidator's names, in its order."""
    two = ("ND2_Issuer_Root", "ND1_Issuer_ICA", "ND1_Cert_EE")
    direct = ("ND3_Issuer_Root", "", "ND3_Cert_EE")
    # certvalidator's anchor is R2, with nothing said of the authority below it: see the test.
    under_r2 = ("D1_Issuer_ICA", "", "D1_Cert_EE")
    delegated = ("D3_Issuer_Root", "", "D3_Cert_EE")
    found = [
        Case("direct_with_intermediate_success", *two, ("ND1", "ND2"), DIRECT, True),
        Case("direct_success", *direct, ("ND3",), DIRECT, True),
        Case("delegated_with_intermediate_success", *under_r2, ("D1",), DELEGATED_AT, True),
        Case("delegated_success", *delegated, ("D3",), DELEGATED_AT, True),
    ]
    for fault, wrong in FAULTS.items():
        at = UNSIGNED_AT if fault == "ISOP" else SPOILED_AT
        name = f"invalid_{wrong}"
        if fault in FAULTS_OF_ANSWERS:
            found += [
                Case(f"direct_with_intermediate_{name}_ee", *two, (f"{fault}_ND1", "ND2"), DIRECT),
                Case(
                    f"direct_with_intermediate_{name}_intermediate",
                    *two,
                    ("ND1", f"{fault}_ND2"),
                    DIRECT,
                ),
                Case(f"direct_{name}", *direct, (f"{fault}_ND3",), DIRECT),
            ]
        found += [
            Case(f"delegated_with_intermediate_{name}", *under_r2, (f"{fault}_D1",), at),
            Case(f"delegated_{name}", *delegated, (f"{fault}_D3",), at),
        ]
    year_later = DIRECT.replace(year=2013)
    return [*found, Case("direct_stale_otherwise_ok", *direct, ("ND3",), year_later)]


@pytest.fixture(scope="module")
def folder(corpus: Path) -> Path:
    found = corpus / "signatures" / "certvalidator-openssl-ocsp" / "tests/fixtures/openssl-ocsp"
    if not found.is_dir():
        pytest.skip("no OCSP answers of OpenSSL in the collection of foreign signatures")
    return found


def test_the_whole_table_comes_out_as_openssl_says(folder: Path) -> None:
    """Answers right and wrong, and issuers with a wrong name, a wrong key, a wrong signature."""
    tally = Tally("OpenSSL OCSP")
    for place in PLACES:
        _count(tally, folder, place, place, passes=True)
        for fault, (_, places) in WRONG_ANSWERS.items():
            if place in places:
                _count(tally, folder, place, f"{fault}_{place}", passes=False)
        for fault in WRONG_ISSUERS:
            _count(tally, folder, place, place, fault, passes=False)
        # The issuer is trusted for itself, whatever signature it carries.
        _count(tally, folder, place, place, "ISIC", passes=True)
    tally.require(right_min=54)


def test_the_29_cases_of_certvalidator_come_out_as_it_says(folder: Path) -> None:
    """One difference of policy: chains under R2 are judged from the issuing authority on.

    certvalidator lets an authority pass that no answer speaks of (`soft-fail`); we never do,
    which the last line shows on its own case.
    """
    tally = Tally("OpenSSL OCSP, the cases of certvalidator")
    for case in cases():
        passed = _case_passes(folder, case)
        tally.add("right" if passed is case.passes else "wrong", case.name)
    tally.require(right_min=29)
    print(f"OpenSSL OCSP {tally.count('right')}/{len(tally.lines)}")
    assert len(tally.lines) == 29
    whole = replace(cases()[2], root="R2", middle="D1_Issuer_ICA")
    assert not _case_passes(folder, whole)


@pytest.mark.parametrize("place", PLACES)
def test_a_right_answer_ends(folder: Path, place: str) -> None:
    """The nearest neighbour of the right ones: a second after the answer's last, and before
    its first, when it had not been given yet."""
    single = _response(folder, place).response_data["responses"][0]
    ends = single["next_update"].native
    assert _passes(folder, place, place, at=ends)
    assert not _passes(folder, place, place, at=ends + timedelta(seconds=1))


@pytest.mark.parametrize("fault", ["", "ISOP", "WRID", "WINH", "WIKH"])
@pytest.mark.parametrize("place", ["ND1", "ND2"])
def test_a_chain_needs_a_right_answer_at_each_step(folder: Path, place: str, fault: str) -> None:
    answers = [f"{fault}_{one}" if fault and one == place else one for one in ("ND1", "ND2")]
    trust = Trust(
        [_certificate(folder, "ND2_Issuer_Root")],
        [_certificate(folder, "ND1_Issuer_ICA")],
        (),
        [_response(folder, name).dump() for name in answers],
        algorithms=standard(),
        policy=POLICY,
    )
    found = trust.judge(_certificate(folder, "ND1_Cert_EE"), (), IN_CHAIN, purpose="path")
    assert (found.status is Indication.TOTAL_PASSED) is (not fault)


def test_today_none_of_them_would_do(folder: Path) -> None:
    """SHA-1 in answers and certificates is refused unless weak algorithms are let in."""
    passed = [place for place in PLACES if _passes(folder, place, place, policy=PathPolicy())]
    assert passed == []


def _case_passes(folder: Path, case: Case) -> bool:
    trust = Trust(
        [_certificate(folder, case.root)],
        [_certificate(folder, case.middle)] if case.middle else [],
        (),
        [_response(folder, name).dump() for name in case.answers],
        algorithms=standard(),
        policy=POLICY,
    )
    found = trust.judge(_certificate(folder, case.signer), (), case.at, purpose="path")
    return found.status is Indication.TOTAL_PASSED


def _count(
    tally: Tally, folder: Path, place: str, answer: str, issuer: str = "", *, passes: bool
) -> None:
    named = f"{issuer}_{CERTIFICATES[place][1]}" if issuer else ""
    passed = _passes(folder, place, answer, issuer=named)
    tally.add("right" if passed is passes else "wrong", f"{answer}.ors {named}".strip())


def _passes(
    folder: Path,
    place: str,
    answer: str,
    *,
    issuer: str = "",
    at: datetime | None = None,
    policy: PathPolicy = POLICY,
) -> bool:
    certificate, own_issuer = CERTIFICATES[place]
    response = _response(folder, answer)
    begins = response.response_data["responses"][0]["this_update"].native
    trust = Trust(
        [_certificate(folder, issuer or own_issuer)],
        (),
        (),
        [response.dump()],
        algorithms=standard(),
        policy=policy,
    )
    moment = at or begins + timedelta(minutes=1)
    found = trust.judge(_certificate(folder, certificate), (), moment, purpose="path")
    return found.status is Indication.TOTAL_PASSED


def _certificate(folder: Path, name: str) -> bytes:
    return bytes(pem.unarmor((folder / f"{name}.pem").read_bytes())[2])


def _response(folder: Path, name: str) -> ocsp.OCSPResponse:
    return ocsp.OCSPResponse.load(base64.b64decode((folder / f"{name}.ors").read_bytes()))
