"""What a signature brings helps to judge it, and never more than that."""

from __future__ import annotations

import pytest

from gateway.model import Indication
from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Authority, Period
from gateway.trust import Purpose, Trust
from gateway.trust.brought import REVOCATION_BYTES_MAX, REVOCATIONS_MAX, Lately
from tests.pki.build import ALGORITHMS, CURRENT, DAY, NOW, below, issue, list_of, root

ROOT = root("Root", "ecdsa")
CA = below(ROOT, "Issuing")
SIGNER = issue(CA)
RESPONDER = issue(CA, "Responder", made.responder_extensions()).as_authority()
ROOT_LIST = ("crl", bytes(list_of(ROOT).dump()))
CA_LIST = ("crl", bytes(list_of(CA).dump()))
CA_CERTIFICATE = bytes(CA.certificate.dump())


def word(*revocations: tuple[str, bytes], crls: tuple[bytes, ...] = ()) -> str | None:
    trust = Trust([ROOT.certificate.dump()], (), crls, algorithms=ALGORITHMS)
    finding = trust.judge(SIGNER.der, [CA_CERTIFICATE], NOW, revocations=revocations)
    assert (finding.status is Indication.TOTAL_PASSED) is (finding.sub_indication is None)
    return finding.sub_indication


def test_lists_that_come_along_stand_beside_our_own() -> None:
    """A signature of level LT carries all that its verdict needs."""
    assert word() == "TRY_LATER"
    assert word(ROOT_LIST) == "TRY_LATER"
    assert word(ROOT_LIST, CA_LIST) is None
    assert word(CA_LIST, crls=(ROOT_LIST[1],)) is None


def test_an_answer_that_comes_along_stands_in_for_a_list() -> None:
    answer = made.ocsp_response(SIGNER.certificate, CA, RESPONDER, CURRENT, ALGORITHMS)
    assert word(ROOT_LIST, ("ocsp", answer.dump())) is None
    revoked = made.ocsp_response(
        SIGNER.certificate, CA, RESPONDER, CURRENT, ALGORITHMS, revoked_at=NOW - DAY
    )
    assert word(ROOT_LIST, ("ocsp", revoked.dump())) == "REVOKED"


def test_a_forged_list_that_comes_along_counts_for_nothing() -> None:
    key, _ = ALGORITHMS.generate("ecdsa")
    impostor = Authority(family="ecdsa", certificate=CA.certificate, key=key)
    forged = ("crl", bytes(list_of(impostor).dump()))
    assert word(ROOT_LIST, forged) == "TRY_LATER"
    assert word(ROOT_LIST, forged, CA_LIST) is None


def test_no_list_that_comes_along_hides_a_revocation_we_know_of() -> None:
    """The nearest attack: an old clean list beside our newer one."""
    older = Period(begins=NOW - 3 * DAY, ends=NOW + 3 * DAY)
    clean = ("crl", bytes(list_of(CA, period=older).dump()))
    ours = list_of(CA, SIGNER.certificate, at=NOW - 2 * DAY).dump()
    assert word(clean, crls=(ROOT_LIST[1], ours)) == "REVOKED"


@pytest.mark.parametrize("octets", [b"", b"noise", b"\x30\x03\x02\x01\x01", CA_CERTIFICATE])
@pytest.mark.parametrize("kind", ["crl", "ocsp", "timestamp"])
def test_what_cannot_be_read_is_passed_over(kind: str, octets: bytes) -> None:
    assert word((kind, octets), ROOT_LIST, CA_LIST) is None


def test_what_comes_along_is_counted_and_weighed() -> None:
    noise = [("crl", b"noise")] * (REVOCATIONS_MAX - 1)
    assert len(Lately().lists([*noise, CA_LIST]).crls) == 1
    assert not Lately().lists([*noise, ("crl", b""), CA_LIST]).crls
    heavy = ("crl", bytes(REVOCATION_BYTES_MAX))
    assert not Lately().lists([heavy, CA_LIST]).crls
    too_heavy = ("crl", bytes(REVOCATION_BYTES_MAX + 1))
    assert len(Lately().lists([too_heavy, CA_LIST]).crls) == 1


def test_a_verdict_is_remembered_for_what_came_along_too() -> None:
    trust = Trust([ROOT.certificate.dump()], (), (ROOT_LIST[1],), algorithms=ALGORITHMS)

    def judged(*revocations: tuple[str, bytes]) -> str | None:
        finding = trust.judge(SIGNER.der, [CA_CERTIFICATE], NOW, revocations=revocations)
        return finding.sub_indication

    revoking = ("crl", bytes(list_of(CA, SIGNER.certificate).dump()))
    assert [judged(CA_LIST), judged(), judged(revoking), judged(CA_LIST)] == [
        None,
        "TRY_LATER",
        "REVOKED",
        None,
    ]


EXTENDED = {
    "alone and critical": (["time_stamping"], True, None),
    "not critical": (["time_stamping"], False, "CHAIN_CONSTRAINTS_FAILURE"),
    "with another": (["time_stamping", "ocsp_signing"], True, "CHAIN_CONSTRAINTS_FAILURE"),
    "another": (["email_protection"], True, "CHAIN_CONSTRAINTS_FAILURE"),
    "none": ([], True, "CHAIN_CONSTRAINTS_FAILURE"),
}


@pytest.mark.parametrize("case", EXTENDED)
def test_a_time_stamping_authority_stamps_times_and_does_nothing_else(case: str) -> None:
    """RFC 3161, section 2.3: the purpose alone, and critical."""
    purposes, critical, expected = EXTENDED[case]
    extensions = [made.extension("key_usage", {"digital_signature"}, critical=True)]
    if purposes:
        extensions.append(made.extension("extended_key_usage", purposes, critical=critical))
    der = issue(CA, "Stamps", extensions).der
    lists = (ROOT_LIST[1], CA_LIST[1])
    trust = Trust([ROOT.certificate.dump()], (CA_CERTIFICATE,), lists, algorithms=ALGORITHMS)
    assert trust.judge(der, (), NOW, purpose="timestamping").sub_indication == expected


@pytest.mark.parametrize("purpose", ["signing", "timestamping", "path"])
def test_only_a_path_may_be_asked_of_an_authority(purpose: Purpose) -> None:
    trust = Trust([ROOT.certificate.dump()], (), (ROOT_LIST[1], CA_LIST[1]), algorithms=ALGORITHMS)
    expected = None if purpose == "path" else "CHAIN_CONSTRAINTS_FAILURE"
    assert trust.judge(CA_CERTIFICATE, (), NOW, purpose=purpose).sub_indication == expected
