"""OCSP answers stand in for lists, from those who may give them."""

from __future__ import annotations

import pytest
from asn1crypto import core

from gateway.model import Indication
from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Authority, Period
from gateway.trust import Trust
from tests.pki.build import (
    ALGORITHMS,
    CURRENT,
    DAY,
    NOW,
    Signing,
    below,
    issue,
    list_of,
    root,
)

ROOTS = {family: root(f"Root {family}", family) for family in ("gost256", "gost512", "ecdsa")}
CAS = {family: below(found, f"Issuing {family}") for family, found in ROOTS.items()}


@pytest.fixture(params=sorted(ROOTS))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def signer(family: str) -> Signing:
    return issue(CAS[family])


def responder(family: str, *, no_check: bool = True, may_answer: bool = True) -> Authority:
    extensions = [made.extension("key_usage", {"digital_signature"}, critical=True)]
    if may_answer:
        extensions.append(made.extension("extended_key_usage", ["ocsp_signing"]))
    if no_check:
        extensions.append(made.extension("ocsp_no_check", core.Null()))
    return issue(CAS[family], "Responder", extensions).as_authority()


def word(family: str, signer: Signing, *answers: bytes, lists: bool = False) -> str | None:
    """Judge with the root's list and OCSP answers only, unless `lists`."""
    crls = [list_of(ROOTS[family]).dump()]
    if lists:
        crls.append(list_of(CAS[family]).dump())
    judging = Trust(
        [ROOTS[family].certificate.dump()],
        [CAS[family].certificate.dump()],
        crls,
        answers,
        algorithms=ALGORITHMS,
    )
    finding = judging.judge(signer.der, (), NOW)
    if finding.status is Indication.TOTAL_PASSED and answers and not lists:
        assert "ocsp" in [kind for kind, _ in finding.evidence]
    return finding.sub_indication


@pytest.mark.parametrize("digest", ["sha1", "sha256", "streebog256", "streebog512"])
def test_a_delegated_responder_may_say_good(family: str, signer: Signing, digest: str) -> None:
    """With id-pkix-ocsp-nocheck, where the library forgets our algorithms (0.33.0)."""
    answer = made.ocsp_response(
        signer.certificate, CAS[family], responder(family), CURRENT, ALGORITHMS, digest=digest
    )
    assert word(family, signer, answer.dump()) is None


def test_a_delegated_responder_may_say_revoked(family: str, signer: Signing) -> None:
    answer = made.ocsp_response(
        signer.certificate,
        CAS[family],
        responder(family),
        CURRENT,
        ALGORITHMS,
        revoked_at=NOW - DAY,
    )
    assert word(family, signer, answer.dump()) == "REVOKED"
    assert word(family, signer, answer.dump(), lists=True) == "REVOKED"


def test_the_authority_itself_may_answer(family: str, signer: Signing) -> None:
    answer = made.ocsp_response(signer.certificate, CAS[family], CAS[family], CURRENT, ALGORITHMS)
    assert word(family, signer, answer.dump()) is None


def test_a_responder_without_nocheck_needs_a_list_itself(family: str, signer: Signing) -> None:
    answer = made.ocsp_response(
        signer.certificate, CAS[family], responder(family, no_check=False), CURRENT, ALGORITHMS
    )
    assert word(family, signer, answer.dump()) == "TRY_LATER"
    assert word(family, signer, answer.dump(), lists=True) is None


def test_a_signer_may_not_answer_for_the_authority(family: str, signer: Signing) -> None:
    """Issued by the right authority, without the right to answer."""
    answer = made.ocsp_response(
        signer.certificate, CAS[family], responder(family, may_answer=False), CURRENT, ALGORITHMS
    )
    assert word(family, signer, answer.dump()) == "TRY_LATER"


def test_another_authoritys_responder_may_not_answer(family: str, signer: Signing) -> None:
    other = next(f for f in CAS if f != family)
    answer = made.ocsp_response(
        signer.certificate, CAS[family], responder(other), CURRENT, ALGORITHMS
    )
    assert word(family, signer, answer.dump()) == "TRY_LATER"


def test_an_answer_about_another_certificate_says_nothing(family: str, signer: Signing) -> None:
    other = issue(CAS[family], "Other")
    answer = made.ocsp_response(
        other.certificate, CAS[family], responder(family), CURRENT, ALGORITHMS
    )
    assert word(family, signer, answer.dump()) == "TRY_LATER"


def test_a_changed_answer_says_nothing(family: str, signer: Signing) -> None:
    answering = responder(family)
    key, _ = ALGORITHMS.generate(family)
    forger = Authority(family=family, certificate=answering.certificate, key=key)
    answer = made.ocsp_response(signer.certificate, CAS[family], forger, CURRENT, ALGORITHMS)
    assert word(family, signer, answer.dump()) == "TRY_LATER"


def test_a_stale_answer_says_nothing(family: str, signer: Signing) -> None:
    stale = Period(begins=NOW - 9 * DAY, ends=NOW - DAY)
    answer = made.ocsp_response(
        signer.certificate, CAS[family], responder(family), stale, ALGORITHMS
    )
    assert word(family, signer, answer.dump()) == "TRY_LATER"
