"""A list or an answer that has ended still proves a revocation, and nothing else.

An entry stays on every later list while its certificate lives, but for a hold (RFC 5280,
sections 3.3 and 5.3.1); so what it says of the days before the moment needs no newer list.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gateway.model import Indication
from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Authority, Period
from gateway.trust import PathPolicy, Trust
from tests.pki.build import ALGORITHMS, CURRENT, DAY, NOW, below, issue, list_of, root
from tests.pki.lists import Entry, revocation_list

FAMILY = "gost256"
ROOT = root("Root", FAMILY)
CA = below(ROOT, "Issuing")
STRANGER = Authority(family=FAMILY, certificate=CA.certificate, key=ALGORITHMS.generate(FAMILY)[0])
SIGNER = issue(CA)
RESPONDER = issue(CA, "Responder", made.responder_extensions()).as_authority()
ROOT_LIST, CLEAN = list_of(ROOT).dump(), list_of(CA).dump()
ENDED = Period(begins=NOW - 3 * DAY, ends=NOW - DAY)
REVOKED_AT = NOW - 4 * DAY
SECOND = timedelta(seconds=1)
BY = pytest.mark.parametrize("by", ["list", "answer"])


def word(*crls: bytes, ocsps: tuple[bytes, ...] = (), policy: PathPolicy | None = None) -> str:
    trust = Trust(
        [ROOT.certificate.dump()],
        [CA.certificate.dump()],
        crls,
        ocsps,
        algorithms=ALGORITHMS,
        policy=policy,
    )
    found = trust.judge(SIGNER.der, (), NOW)
    assert (found.status is Indication.TOTAL_FAILED) is (found.sub_indication == "REVOKED")
    return found.sub_indication or "passed"


def said(
    by: str,
    reason: str = "key_compromise",
    *,
    at: datetime = REVOKED_AT,
    issuer: Authority = CA,
    responder: Authority = RESPONDER,
    period: Period = ENDED,
    policy: PathPolicy | None = None,
) -> str:
    """Judge the signer where only this list or this answer speaks of it."""
    if by == "list":
        entry = Entry(serial=SIGNER.certificate.serial_number, at=at, reason=reason)
        return word(ROOT_LIST, revocation_list(issuer, entry, period=period), policy=policy)
    answer = made.ocsp_response(
        SIGNER.certificate, CA, responder, period, ALGORITHMS, revoked_at=at, reason=reason
    )
    return word(ROOT_LIST, ocsps=(answer.dump(),), policy=policy)


@BY
@pytest.mark.parametrize("reason", ["key_compromise", "unspecified", "cessation_of_operation"])
def test_what_has_ended_still_proves_a_revocation(by: str, reason: str) -> None:
    assert said(by, reason) == "REVOKED"


@BY
def test_a_hold_may_have_been_lifted_since(by: str) -> None:
    """The nearest neighbour by reason; while the list or the answer lives, a hold counts."""
    assert said(by, "certificate_hold") == "TRY_LATER"
    assert said(by, "certificate_hold", period=CURRENT) == "REVOKED"


@BY
def test_only_a_revocation_before_the_moment_counts(by: str) -> None:
    """Revoked a second after the moment, the certificate may have been good at it: unknown."""
    assert said(by, at=NOW - timedelta(seconds=1)) == "REVOKED"
    assert said(by, at=NOW + timedelta(seconds=1)) == "TRY_LATER"


@BY
@pytest.mark.parametrize(
    ("period", "at", "told"),
    [
        (CURRENT, NOW, "REVOKED"),
        (CURRENT, NOW + SECOND, "passed"),
        (ENDED, NOW, "REVOKED"),
        (ENDED, NOW + SECOND, "TRY_LATER"),
    ],
)
def test_a_revocation_counts_from_its_very_second(
    by: str, period: Period, at: datetime, told: str
) -> None:
    """A time stamp tells seconds, and a list took the second it names for one before it."""
    assert said(by, at=at, period=period) == told


def test_an_ended_list_that_names_another_certificate_says_nothing() -> None:
    other = Entry(serial=SIGNER.certificate.serial_number + 1, at=REVOKED_AT)
    assert word(ROOT_LIST, revocation_list(CA, other, period=ENDED)) == "TRY_LATER"


@BY
def test_a_forged_revocation_is_none(by: str) -> None:
    """Whoever could make one up would silence a laboratory."""
    assert said(by, issuer=STRANGER, responder=STRANGER) == "TRY_LATER"


def test_a_responder_of_another_authority_cannot_revoke() -> None:
    other = below(ROOT, "Other")
    foreign = issue(other, "Responder", made.responder_extensions()).as_authority()
    assert said("answer", responder=foreign) == "TRY_LATER"


def test_an_ended_list_says_nothing_in_a_certificates_favour() -> None:
    assert word(ROOT_LIST, list_of(CA, period=ENDED).dump()) == "TRY_LATER"


def test_a_list_of_the_moment_outdoes_one_that_ended() -> None:
    """The authority's newest word counts, whatever an older list of its said."""
    entry = Entry(serial=SIGNER.certificate.serial_number, at=REVOKED_AT)
    assert word(ROOT_LIST, revocation_list(CA, entry, period=ENDED), CLEAN) == "passed"


def test_an_authority_on_an_ended_list_takes_its_signers_along() -> None:
    gone = list_of(ROOT, CA.certificate, period=ENDED, at=REVOKED_AT).dump()
    assert word(gone, CLEAN) == "REVOKED_CA_NO_POE"
    held = Entry(serial=CA.certificate.serial_number, at=REVOKED_AT, reason="certificate_hold")
    assert word(revocation_list(ROOT, held, period=ENDED), CLEAN) == "TRY_LATER"


def test_an_authority_nobody_speaks_of_cannot_revoke() -> None:
    """Its own key may have been stolen and revoked: its list is no proof yet."""
    entry = Entry(serial=SIGNER.certificate.serial_number, at=REVOKED_AT)
    assert word(revocation_list(CA, entry, period=ENDED)) == "TRY_LATER"


@BY
def test_too_old_for_the_policy_proves_a_revocation_all_the_same(by: str) -> None:
    policy = PathPolicy(revocation_age_max=2 * DAY)
    period = Period(begins=NOW - 3 * DAY, ends=NOW + DAY)
    assert said(by, period=period, policy=policy) == "REVOKED"


def test_a_list_from_after_the_moment_serves_where_none_covers_it() -> None:
    """It says what had not been revoked by then; an entry from before the moment still does."""
    later = Period(begins=NOW + DAY, ends=NOW + 8 * DAY)
    clean = list_of(CA, period=later).dump()
    before = list_of(CA, SIGNER.certificate, period=later, at=NOW - DAY).dump()
    assert word(ROOT_LIST, clean) == "passed"
    assert word(ROOT_LIST, before) == "REVOKED"
