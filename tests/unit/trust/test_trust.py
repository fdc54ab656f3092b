"""A certificate is believed only with a path, a current list, and the right to sign."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from asn1crypto import x509

from gateway.algorithms import standard
from gateway.model import CheckStatus, Indication
from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Authority, Period
from gateway.sandbox.pki import FAMILIES, Pki
from gateway.trust import Trust, TrustFinding
from tests.pki.build import (
    ALGORITHMS,
    ALIVE,
    CURRENT,
    DAY,
    NOW,
    Signing,
    below,
    issue,
    list_of,
    root,
)

ROOT = root()
CA = below(ROOT, "Issuing")
LISTS = (list_of(ROOT).dump(), list_of(CA).dump())


def trust(
    anchors: tuple[Authority, ...] = (ROOT,),
    middle: tuple[Authority, ...] = (CA,),
    crls: tuple[bytes, ...] = LISTS,
    ocsps: tuple[bytes, ...] = (),
) -> Trust:
    return Trust(
        [a.certificate.dump() for a in anchors],
        [a.certificate.dump() for a in middle],
        crls,
        ocsps,
        algorithms=ALGORITHMS,
    )


def judge(judging: Trust, signing: Signing, at: datetime = NOW) -> TrustFinding:
    return judging.judge(signing.der, (), at)


def assert_verdict(
    finding: TrustFinding, status: Indication, word: str | None, check: str = ""
) -> None:
    assert (finding.status, finding.sub_indication) == (status, word), finding.checks
    bad = {c.name for c in finding.checks if c.status is not CheckStatus.PASSED}
    assert bad == ({check} if check else set()), finding.checks


@pytest.fixture(scope="module")
def signer() -> Signing:
    return issue(CA)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("role", ["doctor", "organisation"])
def test_a_good_signer_of_every_family_passes(pki: Pki, family: str, role: str) -> None:
    finding = Trust.load([pki.trust], ALGORITHMS).judge(
        pki.signer(f"{family}-{role}").chain()[0], (), NOW
    )
    assert_verdict(finding, Indication.TOTAL_PASSED, None)
    assert len(finding.chain) == 3
    assert [kind for kind, _ in finding.evidence] == ["certificate"] * 3 + ["crl"] * 2


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("role", "status", "word", "check"),
    [
        ("revoked", Indication.TOTAL_FAILED, "REVOKED", "revocation"),
        ("expired", Indication.TOTAL_FAILED, "EXPIRED", "validity_period"),
        ("ocsp", Indication.INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE", "key_usage"),
        ("tsa", Indication.INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE", "key_usage"),
    ],
)
def test_a_bad_signer_of_every_family_is_told_why(
    pki: Pki, family: str, role: str, status: Indication, word: str, check: str
) -> None:
    finding = Trust.load([pki.trust], ALGORITHMS).judge(
        pki.signer(f"{family}-{role}").chain()[0], (), NOW
    )
    assert_verdict(finding, status, word, check)


def test_the_fallback_comes_to_the_same_verdicts(pki: Pki) -> None:
    pure = Trust.load([pki.trust], standard("pure"))
    for name, word in (("gost256-doctor", None), ("gost512-revoked", "REVOKED")):
        assert pure.judge(pki.signer(name).chain()[0], (), NOW).sub_indication == word


@pytest.mark.parametrize(
    "authority", [CA, ROOT], ids=["an issuing authority", "the trusted root itself"]
)
def test_an_authority_does_not_sign_documents(authority: Authority) -> None:
    """Its key makes signers; whoever has it would otherwise sign as nobody in particular."""
    finding = trust().judge(authority.certificate.dump(), (), NOW)
    assert_verdict(finding, Indication.INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE", "key_usage")


def test_a_signer_that_says_it_is_no_authority_passes() -> None:
    """The nearest neighbour: basic constraints are there and say CA:FALSE."""
    said = made.extension("basic_constraints", {"ca": False}, critical=True)
    usage = made.extension("key_usage", {"digital_signature"}, critical=True)
    finding = judge(trust(), issue(CA, extensions=[said, usage]))
    assert_verdict(finding, Indication.TOTAL_PASSED, None)


def test_a_stranger_is_unknown_even_with_his_own_authority_along(pki: Pki) -> None:
    judging = Trust.load([pki.trust], ALGORITHMS)
    chain = pki.signer("stranger").chain()
    finding = judging.judge(chain[0], chain[1:], NOW)
    assert_verdict(
        finding, Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND", "certificate_chain"
    )


def test_a_certificate_that_only_claims_our_authority_is_no_ones(signer: Signing) -> None:
    """Right names and key identifiers, signed by another key."""
    impostor_key, _ = ALGORITHMS.generate("gost256")
    impostor = Authority(family="gost256", certificate=CA.certificate, key=impostor_key)
    finding = judge(trust(), issue(impostor))
    assert_verdict(
        finding, Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND", "certificate_chain"
    )
    changed = bytearray(signer.der)
    changed[changed.index(b"Signer") + 1] ^= 1
    finding = trust().judge(bytes(changed), (), NOW)
    assert finding.sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"


def test_a_certificate_lives_from_its_first_second_to_its_last() -> None:
    period = Period(begins=NOW - DAY, ends=NOW + DAY)
    crls = tuple(
        list_of(a, period=Period(begins=NOW - 9 * DAY, ends=NOW + 9 * DAY)).dump()
        for a in (ROOT, CA)
    )
    judging, signing, second = trust(crls=crls), issue(CA, period=period), timedelta(seconds=1)
    for at, word in (
        (period.begins - second, "NOT_YET_VALID"),
        (period.begins, None),
        (period.ends, None),
        (period.ends + second, "EXPIRED"),
    ):
        finding = judge(judging, signing, at)
        assert finding.sub_indication == word
        expected = Indication.TOTAL_FAILED if word else Indication.TOTAL_PASSED
        assert finding.status is expected


def test_an_expired_authority_is_out_of_bounds() -> None:
    old = issue(
        ROOT, "Old", made.authority_extensions(0), Period(begins=NOW - 9 * DAY, ends=NOW - DAY)
    ).as_authority()
    crls = (*LISTS, list_of(old).dump())
    finding = judge(trust(middle=(old,), crls=crls), issue(old))
    assert_verdict(finding, Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE", "certificate_chain")


def test_revocation_counts_from_its_own_moment(signer: Signing) -> None:
    """Revoked after keep: the verdict stands (semantics, rule 4)."""
    moment = NOW - timedelta(hours=3)
    judging = trust(crls=(LISTS[0], list_of(CA, signer.certificate, at=moment).dump()))
    assert_verdict(judge(judging, signer), Indication.TOTAL_FAILED, "REVOKED", "revocation")
    assert_verdict(
        judge(judging, signer, moment - timedelta(seconds=1)), Indication.TOTAL_PASSED, None
    )
    assert judge(judging, signer, moment + timedelta(seconds=1)).sub_indication == "REVOKED"


def test_a_replay_with_a_later_list_judges_at_the_moment_of_keep(signer: Signing) -> None:
    """Only next week's list is at hand: it still says what was revoked by the moment."""
    later = Period(begins=NOW + 5 * DAY, ends=NOW + 12 * DAY)
    after = list_of(CA, signer.certificate, period=later, at=NOW + DAY)
    before = list_of(CA, signer.certificate, period=later, at=NOW - DAY)
    root_list = list_of(ROOT, period=later).dump()
    assert judge(trust(crls=(root_list, after.dump())), signer).sub_indication is None
    finding = judge(trust(crls=(root_list, before.dump())), signer)
    assert finding.sub_indication == "REVOKED"


def test_a_list_from_after_the_certificates_end_says_nothing_of_it() -> None:
    """Authorities drop ended certificates from their lists."""
    signing = issue(CA, period=Period(begins=NOW - DAY, ends=NOW + DAY))
    later = Period(begins=NOW + 5 * DAY, ends=NOW + 12 * DAY)
    crls = tuple(list_of(a, period=later).dump() for a in (ROOT, CA))
    assert judge(trust(crls=crls), signing).sub_indication == "TRY_LATER"


def test_a_revoked_authority_takes_its_signers_along(signer: Signing) -> None:
    crls = (list_of(ROOT, CA.certificate).dump(), LISTS[1])
    finding = judge(trust(crls=crls), signer)
    assert_verdict(finding, Indication.INDETERMINATE, "REVOKED_CA_NO_POE", "revocation")


@pytest.mark.parametrize(
    ("crls", "awaited"),
    [
        ((), "Root"),
        (LISTS[:1], "Issuing"),
        (LISTS[1:], "Root"),
        (
            (LISTS[0], list_of(CA, period=Period(begins=NOW - 9 * DAY, ends=NOW - DAY)).dump()),
            "Issuing",
        ),
        (
            (list_of(ROOT, period=Period(begins=NOW - 9 * DAY, ends=NOW - DAY)).dump(), LISTS[1]),
            "Root",
        ),
    ],
    ids=["none", "no list of the CA", "no list of the root", "stale CA", "stale root"],
)
def test_without_a_current_list_we_try_later_and_say_whose(
    signer: Signing, crls: tuple[bytes, ...], awaited: str
) -> None:
    finding = judge(trust(crls=crls), signer)
    assert_verdict(finding, Indication.INDETERMINATE, "TRY_LATER", "revocation")
    assert finding.awaited_issuer == awaited
    detail = next(c.detail for c in finding.checks if c.name == "revocation")
    assert awaited in detail


def test_a_list_ends_with_its_last_second(signer: Signing) -> None:
    judging = trust()
    assert judge(judging, signer, CURRENT.ends).sub_indication is None
    late = judge(judging, signer, CURRENT.ends + timedelta(seconds=1))
    assert late.sub_indication == "TRY_LATER"


def test_a_stale_list_of_one_authority_leaves_the_others_alone(signer: Signing) -> None:
    """SEMANTICS, day 15: 600 documents wait, 900 of other authorities flow."""
    other = below(ROOT, "Other")
    stale = list_of(other, period=Period(begins=NOW - 9 * DAY, ends=NOW - DAY))
    judging = trust(middle=(CA, other), crls=(*LISTS, stale.dump()))
    assert judge(judging, signer).sub_indication is None
    waiting = judge(judging, issue(other))
    assert (waiting.sub_indication, waiting.awaited_issuer) == ("TRY_LATER", "Other")


def test_a_list_signed_by_somebody_else_is_no_list(signer: Signing) -> None:
    """The right issuer name over the wrong key."""
    key, _ = ALGORITHMS.generate("gost256")
    forged = list_of(Authority(family="gost256", certificate=CA.certificate, key=key))
    finding = judge(trust(crls=(LISTS[0], forged.dump())), signer)
    assert_verdict(finding, Indication.INDETERMINATE, "TRY_LATER", "revocation")
    assert finding.awaited_issuer == "Issuing"


def test_a_changed_list_is_no_list(signer: Signing) -> None:
    """Taking an entry off a list must not bring its certificate back to life."""
    changed = list_of(CA, signer.certificate)
    changed["tbs_cert_list"]["revoked_certificates"] = []
    finding = judge(trust(crls=(LISTS[0], changed.dump(force=True))), signer)
    assert finding.sub_indication == "TRY_LATER"


def test_a_certificate_that_names_no_list_needs_one_all_the_same() -> None:
    """`hard-fail` of the library would pass it."""
    usage = made.extension("key_usage", {"digital_signature"}, critical=True)
    silent = issue(CA, extensions=[usage])
    assert not silent.certificate.crl_distribution_points
    assert judge(trust(crls=LISTS[:1]), silent).sub_indication == "TRY_LATER"
    assert judge(trust(), silent).sub_indication is None


@pytest.mark.parametrize(
    ("usage", "word"),
    [
        ({"digital_signature"}, None),
        ({"non_repudiation"}, None),
        ({"key_encipherment", "data_encipherment"}, "CHAIN_CONSTRAINTS_FAILURE"),
        ({"crl_sign"}, "CHAIN_CONSTRAINTS_FAILURE"),
    ],
)
def test_key_usage_must_allow_signing_documents(usage: set[str], word: str | None) -> None:
    """Qualified certificates often carry nonRepudiation alone."""
    signing = issue(CA, extensions=[made.extension("key_usage", usage, critical=True)])
    finding = judge(trust(), signing)
    assert finding.sub_indication == word


def test_a_signer_cannot_issue_certificates(signer: Signing) -> None:
    forged = issue(signer.as_authority(), "Forged")
    crls = (*LISTS, list_of(signer.as_authority()).dump())
    finding = trust(crls=crls).judge(forged.der, [signer.der], NOW)
    assert finding.status is Indication.INDETERMINATE


def test_path_length_is_kept() -> None:
    too_deep = below(CA, "Too deep")
    crls = (*LISTS, list_of(too_deep).dump())
    finding = judge(trust(middle=(CA, too_deep), crls=crls), issue(too_deep))
    assert finding.sub_indication == "CERTIFICATE_CHAIN_GENERAL_FAILURE"


def test_an_unknown_critical_extension_is_not_waved_through() -> None:
    unknown = x509.Extension({"extn_id": "1.2.3.4", "critical": True, "extn_value": b"\x05\x00"})
    finding = judge(trust(), issue(CA, extensions=[unknown]))
    assert finding.sub_indication == "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    harmless = x509.Extension({"extn_id": "1.2.3.4", "extn_value": b"\x05\x00"})
    assert judge(trust(), issue(CA, extensions=[harmless])).sub_indication is None


def test_an_intermediate_may_come_with_the_message(signer: Signing) -> None:
    judging = trust(middle=())
    assert judge(judging, signer).sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"
    finding = judging.judge(signer.der, [b"noise", CA.certificate.dump()], NOW)
    assert_verdict(finding, Indication.TOTAL_PASSED, None)


def test_an_anchor_signs_for_itself() -> None:
    usage = made.extension("key_usage", {"digital_signature"}, critical=True)
    key, public = ALGORITHMS.generate("ecdsa")
    own = made.certify(
        made.name(("common_name", "Own")), public, [usage], ALIVE, ALGORITHMS, own=("ecdsa", key)
    )
    judging = Trust([own.dump()], algorithms=ALGORITHMS)
    assert judging.judge(own.dump(), (), NOW).status is Indication.TOTAL_PASSED
    nobody = Trust([], algorithms=ALGORITHMS)
    word = nobody.judge(own.dump(), (), NOW).sub_indication
    assert word == "NO_CERTIFICATE_CHAIN_FOUND"


def test_a_small_rsa_key_is_too_weak() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    public = small.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    certificate = made.certify(
        made.name(("common_name", "Small")),
        public,
        made.signing_extensions(ALIVE, "test"),
        ALIVE,
        ALGORITHMS,
        issuer=CA,
    )
    finding = trust().judge(certificate.dump(), (), NOW)
    assert_verdict(finding, Indication.INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE", "crypto_policy")


@pytest.mark.parametrize("octets", [b"", b"noise", b"\x30\x03\x02\x01\x01"])
def test_noise_is_no_signing_certificate(octets: bytes) -> None:
    finding = trust().judge(octets, (), NOW)
    assert finding.status is Indication.INDETERMINATE
    assert finding.sub_indication == "NO_SIGNING_CERTIFICATE_FOUND"


def test_cut_and_changed_certificates_never_pass_and_never_crash(signer: Signing) -> None:
    judging = trust()
    for place in range(0, len(signer.der), 7):
        changed = bytearray(signer.der)
        changed[place] ^= 0x55
        for octets in (bytes(changed), signer.der[:place]):
            assert judging.judge(octets, (), NOW).status is not Indication.TOTAL_PASSED


def test_a_crowd_of_forged_authorities_costs_little(signer: Signing) -> None:
    """A stranger's authorities that sign each other make paths without number."""
    key, public = ALGORITHMS.generate("gost256")
    crowd = [
        made.certify(
            CA.certificate.subject,
            public,
            made.authority_extensions(None),
            ALIVE,
            ALGORITHMS,
            issuer=Authority(family="gost256", certificate=CA.certificate, key=key),
        )
        for _ in range(20)
    ]
    forger = Authority(family="gost256", certificate=crowd[0], key=key)
    finding = trust().judge(issue(forger).der, [c.dump() for c in crowd], NOW)
    assert finding.status is Indication.INDETERMINATE


def test_many_threads_get_their_own_verdicts(pki: Pki) -> None:
    judging = Trust.load([pki.trust], ALGORITHMS)
    words = {"doctor": None, "revoked": "REVOKED", "expired": "EXPIRED", "organisation": None}
    asked = [(f, role) for f in FAMILIES for role in words] * 4

    def ask(question: tuple[str, str]) -> bool:
        family, role = question
        chain = pki.signer(f"{family}-{role}").chain()
        return judging.judge(chain[0], chain[1:], NOW).sub_indication == words[role]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, asked))
