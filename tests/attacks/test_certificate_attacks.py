"""Attacks on certificates, lists, answers and times: none of them makes a signer believed.

F1 to F8, G4 and G5 name the classes of attack; each test says in its name what is tried.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from asn1crypto import core, crl, x509

from gateway.bindings import BindingPolicy
from gateway.bindings import judge as judge_bindings
from gateway.model import CheckStatus, Facts, Indication, PatientClaim, ReportClaim
from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Authority, Period
from gateway.sandbox.pki import Pki
from gateway.signatures.sign import sign
from gateway.store.values import Organization
from gateway.trust import PathPolicy, Trust
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
from tests.pki.lists import partition, point, revocation_list
from tests.unit.signatures.made import BUNDLE, beside, document, signed, verifier

FAMILY = "ecdsa"
HOUR = timedelta(hours=1)
ROOT = root("Root", FAMILY)
CA = below(ROOT, "Issuing", None)
NEIGHBOUR = below(ROOT, "Neighbour")
SIGNER = issue(CA)
RESPONDER = issue(CA, "Responder", made.responder_extensions()).as_authority()
ROOT_LIST, CA_LIST = list_of(ROOT).dump(), list_of(CA).dump()
UNKNOWN_FACTS = Facts(
    patient=PatientClaim(identifiers=(), name=None, birth_date=None, sex=None, place="/p"),
    report=ReportClaim(
        performer=(),
        number=None,
        version=1,
        status="final",
        issued=NOW,
        order_number=None,
        ordering=(),
        authors=(),
        signatories=(),
    ),
)
LONG = Period(begins=NOW - 50 * DAY, ends=NOW + 50 * DAY)


def word(
    signing: Signing = SIGNER,
    *,
    crls: tuple[bytes, ...] = (ROOT_LIST, CA_LIST),
    ocsps: tuple[bytes, ...] = (),
    brought: tuple[tuple[str, bytes], ...] = (),
    others: tuple[Authority, ...] = (),
    at: datetime = NOW,
    policy: PathPolicy | None = None,
) -> str | None:
    """Return the sub-indication, having made sure that only none of it is a pass."""
    middle = [authority.certificate.dump() for authority in (CA, NEIGHBOUR, *others)]
    anchors = [ROOT.certificate.dump()]
    trust = Trust(anchors, middle, crls, ocsps, algorithms=ALGORITHMS, policy=policy)
    found = trust.judge(signing.der, (), at, revocations=brought)
    assert (found.status is Indication.TOTAL_PASSED) is (found.sub_indication is None)
    return found.sub_indication


def answer(
    signing: Signing = SIGNER,
    responder: Authority = RESPONDER,
    period: Period = CURRENT,
    revoked_at: datetime | None = None,
    issuer: Authority = CA,
) -> bytes:
    made_one = made.ocsp_response(
        signing.certificate, issuer, responder, period, ALGORITHMS, revoked_at=revoked_at
    )
    return bytes(made_one.dump())


def test_the_unattacked_pass() -> None:
    assert word() is None
    assert word(crls=(ROOT_LIST,), ocsps=(answer(),)) is None


# F1: time of the certificate


def test_f1_a_certificate_is_judged_at_the_moment_and_not_today() -> None:
    """With a proof that the signature existed, an end that came since changes nothing."""
    ended = issue(CA, period=Period(begins=NOW - 30 * DAY, ends=NOW - 10 * DAY))
    lists = (list_of(ROOT, period=LONG).dump(), list_of(CA, period=LONG).dump())
    assert word(ended, crls=lists) == "EXPIRED"
    assert word(ended, crls=lists, at=NOW - 20 * DAY) is None
    assert word(ended, crls=lists, at=NOW - 40 * DAY) == "NOT_YET_VALID"


def test_f1_a_list_from_after_the_end_does_not_clear_an_ended_certificate() -> None:
    """Authorities drop ended certificates, revoked or not; unless the list says it keeps them."""
    ended = issue(CA, period=Period(begins=NOW - 30 * DAY, ends=NOW - 10 * DAY))
    at, roots = NOW - 20 * DAY, list_of(ROOT, period=LONG).dump()
    assert word(ended, crls=(roots, CA_LIST), at=at) == "TRY_LATER"
    for since, expected in ((NOW - 60 * DAY, None), (NOW - 5 * DAY, "TRY_LATER")):
        keeps = ("2.5.29.60", False, _octets(core.GeneralizedTime(since)))
        assert word(ended, crls=(roots, revocation_list(CA, extensions=[keeps])), at=at) == expected


# F2: revocation, with and without a proof of existence


@pytest.mark.parametrize("by", ["list", "answer"])
def test_f2_a_revocation_counts_from_its_moment_on(by: str) -> None:
    revoked_at = NOW - 5 * HOUR
    if by == "list":
        lists, answers = (ROOT_LIST, list_of(CA, SIGNER.certificate, at=revoked_at).dump()), ()
    else:
        lists, answers = (ROOT_LIST,), (answer(revoked_at=revoked_at),)
    assert word(crls=lists, ocsps=answers) == "REVOKED"
    assert word(crls=lists, ocsps=answers, at=revoked_at + HOUR) == "REVOKED"
    assert word(crls=lists, ocsps=answers, at=revoked_at - HOUR) is None


def test_f2_a_later_list_outdoes_the_one_that_did_not_know_yet() -> None:
    """Revoked before the signature, published after it: the later list counts."""
    later = Period(begins=NOW + DAY, ends=NOW + 8 * DAY)
    before = list_of(CA, SIGNER.certificate, period=later, at=NOW - HOUR).dump()
    after = list_of(CA, SIGNER.certificate, period=later, at=NOW + HOUR).dump()
    assert word(crls=(ROOT_LIST, CA_LIST, before)) == "REVOKED"
    assert word(crls=(ROOT_LIST, CA_LIST, after)) is None


def test_f2_an_authority_revoked_before_the_moment_takes_its_signers_along() -> None:
    later = Period(begins=NOW + DAY, ends=NOW + 8 * DAY)
    gone = list_of(ROOT, CA.certificate, period=later, at=NOW - HOUR).dump()
    assert word(crls=(ROOT_LIST, CA_LIST, gone)) == "REVOKED_CA_NO_POE"


def test_f2_a_good_answer_does_not_hide_a_list_that_says_revoked() -> None:
    """The answer came with the signature and is older than our list."""
    older = Period(begins=NOW - 3 * DAY, ends=NOW + 3 * DAY)
    lists = (ROOT_LIST, list_of(CA, SIGNER.certificate, at=NOW - HOUR).dump())
    assert word(crls=lists, brought=(("ocsp", answer(period=older)),)) == "REVOKED"


def test_f2_the_newest_answer_counts() -> None:
    older = Period(begins=NOW - 3 * DAY, ends=NOW + 3 * DAY)
    good, bad = answer(period=older), answer(revoked_at=NOW - HOUR)
    assert word(crls=(ROOT_LIST,), ocsps=(good, bad)) == "REVOKED"
    assert word(crls=(ROOT_LIST,), ocsps=(bad, good)) == "REVOKED"


# F3: lists and answers of the wrong issuer, stale, unsigned, about something else


def test_f3_a_neighbours_list_does_not_speak_for_an_authority() -> None:
    """Both hang below one root; without the root's list nothing is known of either."""
    neighbours = list_of(NEIGHBOUR).dump()
    assert word(crls=(CA_LIST, neighbours)) == "TRY_LATER"
    assert word(crls=(CA_LIST, neighbours), brought=(("crl", neighbours),)) == "TRY_LATER"
    assert word(crls=(CA_LIST, neighbours, ROOT_LIST)) is None


def test_f3_an_indirect_list_speaks_only_where_the_certificate_names_its_issuer() -> None:
    indirect = partition(indirect_crl=True)
    lister = issue(CA, "Lister", [made.extension("key_usage", {"crl_sign"}, critical=True)])
    by_lister = revocation_list(lister.as_authority(), extensions=[indirect])
    lists = (ROOT_LIST, by_lister)
    named = issue(CA, extensions=[point(issuer=lister.certificate.subject)])
    silent = issue(CA, extensions=[point(uri="http://ca.invalid/list.crl")])
    helpers = (lister.as_authority(),)
    # The lister's own certificate is the authority's to speak of, and its list says nothing.
    own = (*lists, revocation_list(CA, extensions=[partition(only_contains_user_certs=True)]))
    assert word(named, crls=own, others=helpers) is None
    assert word(silent, crls=lists, others=helpers) == "TRY_LATER"


def test_f3_a_forged_indirect_list_does_not_vouch_for_itself() -> None:
    """Met while its own issuer's path is judged, it must be verified like any other."""
    indirect = partition(indirect_crl=True)
    lister = issue(CA, "Lister", [made.extension("key_usage", {"crl_sign"}, critical=True)])
    key, _ = ALGORITHMS.generate(FAMILY)
    impostor = Authority(family=FAMILY, certificate=lister.certificate, key=key)
    forged = ("crl", revocation_list(impostor, extensions=[indirect]))
    named = issue(CA, extensions=[point(issuer=lister.certificate.subject)])
    for others in ((), (lister.as_authority(),)):
        lists = (ROOT_LIST,)
        assert word(named, crls=lists, brought=(forged,), others=others) == "TRY_LATER"


def test_f3_a_prolonged_list_with_a_copied_signature_is_not_verified_by_its_twin() -> None:
    stale = crl.CertificateList.load(
        revocation_list(CA, period=Period(begins=NOW - 9 * DAY, ends=NOW - DAY))
    )
    prolonged = crl.CertificateList.load(revocation_list(CA))
    prolonged["signature"] = stale["signature"].native
    lists = (ROOT_LIST, stale.dump(), prolonged.dump(force=True))
    assert word(crls=lists) == "TRY_LATER"
    assert word(crls=tuple(reversed(lists))) == "TRY_LATER"


def test_f3_an_unsigned_list_is_none() -> None:
    bare = crl.CertificateList.load(CA_LIST)
    bare["signature"] = b""
    assert word(crls=(ROOT_LIST, bare.dump(force=True))) == "TRY_LATER"


@pytest.mark.parametrize("part", ["only_contains_ca_certs", "only_contains_attribute_certs"])
def test_f3_a_list_for_others_only_is_not_about_a_signer(part: str) -> None:
    lists = (ROOT_LIST, revocation_list(CA, extensions=[partition(**{part: True})]))
    assert word(crls=lists) == "TRY_LATER"
    users = revocation_list(CA, extensions=[partition(only_contains_user_certs=True)])
    assert word(crls=(ROOT_LIST, users)) is None


def test_f3_a_stale_list_or_answer_is_none() -> None:
    ended = Period(begins=NOW - 9 * DAY, ends=NOW - DAY)
    assert word(crls=(ROOT_LIST, list_of(CA, period=ended).dump())) == "TRY_LATER"
    assert word(crls=(ROOT_LIST,), ocsps=(answer(period=ended),)) == "TRY_LATER"


@pytest.mark.parametrize("by", ["list", "answer"])
def test_f3_freshness_can_be_asked_for_beyond_what_a_list_states(by: str) -> None:
    """A list good for a week is two days old; the policy wants one day, then two."""
    period = Period(begins=NOW - 2 * DAY, ends=NOW + 5 * DAY)
    fresh = Period(begins=NOW - HOUR, ends=NOW + 5 * DAY)
    lists: tuple[bytes, ...] = (list_of(ROOT, period=fresh).dump(),)
    answers: tuple[bytes, ...] = ()
    if by == "list":
        lists = (*lists, list_of(CA, period=period).dump())
    else:
        answers = (answer(period=period),)
    for age, expected in ((DAY, "TRY_LATER"), (2 * DAY, None)):
        policy = PathPolicy(revocation_age_max=age)
        assert word(crls=lists, ocsps=answers, policy=policy) == expected


def test_f3_an_answer_on_another_certificate_is_none() -> None:
    other = issue(CA, "Other")
    assert word(crls=(ROOT_LIST,), ocsps=(answer(other),)) == "TRY_LATER"
    foreign = answer(issuer=NEIGHBOUR, responder=NEIGHBOUR)
    assert word(crls=(ROOT_LIST,), ocsps=(foreign,)) == "TRY_LATER"


def test_f3_an_answer_by_a_neighbours_responder_is_none() -> None:
    foreign = issue(NEIGHBOUR, "Responder", made.responder_extensions()).as_authority()
    assert word(crls=(ROOT_LIST,), ocsps=(answer(responder=foreign),)) == "TRY_LATER"


# F4: constraints on paths (the whole of PKITS is run elsewhere)


def test_f4_a_signer_cannot_be_an_issuer() -> None:
    forged = issue(SIGNER.as_authority(), "Forged")
    lists = (ROOT_LIST, CA_LIST, list_of(SIGNER.as_authority()).dump())
    assert word(forged, crls=lists, others=(SIGNER.as_authority(),)) is not None


def test_f4_a_path_is_no_longer_than_its_authority_allows() -> None:
    short = below(ROOT, "Short", 0)
    deeper = below(short, "Deeper", 0)
    lists = (ROOT_LIST, list_of(short).dump(), list_of(deeper).dump())
    both = (short, deeper)
    assert word(issue(short), crls=lists, others=both) is None
    assert word(issue(deeper), crls=lists, others=both) == "CERTIFICATE_CHAIN_GENERAL_FAILURE"


def test_f4_names_outside_an_authoritys_space_are_refused() -> None:
    space = x509.GeneralName(name="directory_name", value=made.name(("common_name", "Allowed")))
    constraint = made.extension(
        "name_constraints", {"permitted_subtrees": [{"base": space}]}, critical=True
    )
    narrow = issue(ROOT, "Narrow", [*made.authority_extensions(None), constraint]).as_authority()
    lists = (ROOT_LIST, list_of(narrow).dump())
    assert word(issue(narrow, "Allowed"), crls=lists, others=(narrow,)) is None
    expected = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    assert word(issue(narrow, "Other"), crls=lists, others=(narrow,)) == expected


# F5: unknown critical extensions


@pytest.mark.parametrize("where", ["signer", "authority"])
def test_f5_an_unknown_critical_extension_stops_a_path(where: str) -> None:
    for critical, expected in ((True, "CERTIFICATE_CHAIN_GENERAL_FAILURE"), (False, None)):
        unknown = x509.Extension(
            {"extn_id": "1.2.3.4", "critical": critical, "extn_value": b"\x05\x00"}
        )
        if where == "signer":
            assert word(issue(CA, extensions=[unknown])) == expected
            continue
        odd = issue(ROOT, "Odd", [*made.authority_extensions(None), unknown]).as_authority()
        lists = (ROOT_LIST, list_of(odd).dump())
        assert word(issue(odd), crls=lists, others=(odd,)) == expected


def test_f5_an_unknown_critical_extension_stops_a_list() -> None:
    for critical, expected in ((True, "TRY_LATER"), (False, None)):
        unknown = ("1.2.3.4", critical, b"\x05\x00")
        listed = revocation_list(CA, extensions=[unknown])
        assert word(crls=(ROOT_LIST, listed)) == expected


# F6: key usage


def test_f6_an_authority_without_the_right_to_list_lists_nothing() -> None:
    mute = issue(
        ROOT,
        "Mute",
        [
            made.extension("basic_constraints", {"ca": True}, critical=True),
            made.extension("key_usage", {"key_cert_sign"}, critical=True),
        ],
    ).as_authority()
    lists = (ROOT_LIST, list_of(mute).dump())
    assert word(issue(mute), crls=lists, others=(mute,)) == "TRY_LATER"


def test_f6_a_certificate_for_something_else_signs_nothing() -> None:
    server = issue(CA, "Server", [made.extension("key_usage", {"key_agreement"}, critical=True)])
    assert word(server) == "CHAIN_CONSTRAINTS_FAILURE"


# F7: paths without end


def test_f7_authorities_that_sign_each_other_do_not_multiply_paths() -> None:
    """Forty certificates under one name, brought along and inside an answer."""
    names = [issue(CA, "Maze", made.authority_extensions(None)).as_authority() for _ in range(6)]
    maze = [
        issue(one, "Maze", made.authority_extensions(None)).certificate
        for one in names
        for _ in range(6)
    ]
    lost = issue(names[0], "Lost")
    carrier = made.ocsp_response(SIGNER.certificate, CA, RESPONDER, CURRENT, ALGORITHMS)
    basic = carrier["response_bytes"]["response"].parsed
    basic["certs"] = [RESPONDER.certificate, *(one.certificate for one in names), *maze]
    swollen = carrier.copy()
    swollen["response_bytes"]["response"] = basic
    trust = Trust(
        [ROOT.certificate.dump()], [CA.certificate.dump()], [ROOT_LIST], (), algorithms=ALGORITHMS
    )
    brought = [("ocsp", swollen.dump(force=True))] * 8
    others = [certificate.dump() for certificate in maze]
    found = trust.judge(lost.der, others, NOW, revocations=brought)
    assert found.sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"
    assert trust.judge(SIGNER.der, others, NOW, revocations=brought).sub_indication is None


# F8: a signer who is not entitled


def test_f8_a_house_does_not_sign_for_a_doctor(pki: Pki) -> None:
    """A perfect signature by one whose role does not suffice for the document."""
    alone, both = ("gost256-organisation",), ("gost256-organisation", "gost256-doctor")
    policy = BindingPolicy(required=("doctor",))
    sender = Organization(id="polaris", name="", kind="laboratory", identifiers=())
    for names, refused in ((alone, True), (both, False)):
        signatures = beside(*(signed(pki, name) for name in names))
        report = verifier(pki).verify(document(BUNDLE), signatures, NOW)
        assert report.indication is Indication.TOTAL_PASSED
        found = judge_bindings(UNKNOWN_FACTS, report, sender, policy)
        roles = next(check for check in found.checks if check.name == "roles")
        assert (roles.status is CheckStatus.FAILED) is refused


@pytest.mark.parametrize("purpose", ["ocsp_signing", "time_stamping"])
def test_f8_a_certificate_for_another_service_signs_no_documents(purpose: str) -> None:
    extensions = [
        made.extension("key_usage", {"digital_signature"}, critical=True),
        made.extension("extended_key_usage", [purpose], critical=True),
    ]
    assert word(issue(CA, "Service", extensions)) == "CHAIN_CONSTRAINTS_FAILURE"


# G4 and G5: times


def test_g4_a_moment_is_proven_and_never_read_from_the_certificate() -> None:
    """Only the caller's moment counts: a revoked signer stays revoked at it, however early
    the signature claims to have been made."""
    lists = (ROOT_LIST, list_of(CA, SIGNER.certificate, at=NOW - HOUR).dump())
    assert word(crls=lists, at=NOW) == "REVOKED"
    assert word(crls=lists, at=NOW - 2 * HOUR) is None


def test_g4_a_claimed_time_is_no_proof_of_one(pki: Pki) -> None:
    """Dated back to before the revocation, by the one whose certificate was revoked."""
    files = pki.signer("gost256-revoked")
    dated_back = NOW - 5 * DAY
    signature = sign(
        BUNDLE,
        key=files.private_key(),
        chain=files.chain(),
        algorithms=ALGORITHMS,
        form="cades",
        detached=True,
        at=dated_back,
    )
    (found,) = verifier(pki).verify(document(BUNDLE), beside(signature), NOW).signatures
    assert found.times.claimed == dated_back
    assert found.times.best == NOW
    assert found.sub_indication == "REVOKED"


@pytest.mark.parametrize(
    ("purposes", "critical", "expected"),
    [
        (["time_stamping"], True, None),
        (["time_stamping"], False, "CHAIN_CONSTRAINTS_FAILURE"),
        (["time_stamping", "email_protection"], True, "CHAIN_CONSTRAINTS_FAILURE"),
    ],
)
def test_g5_a_stamping_authority_is_one_by_a_critical_purpose_alone(
    purposes: list[str], critical: bool, expected: str | None
) -> None:
    extensions = [
        made.extension("key_usage", {"digital_signature"}, critical=True),
        made.extension("extended_key_usage", purposes, critical=critical),
    ]
    stamps = issue(CA, "Stamps", extensions)
    trust = Trust(
        [ROOT.certificate.dump()],
        [CA.certificate.dump()],
        [ROOT_LIST, CA_LIST],
        algorithms=ALGORITHMS,
    )
    assert trust.judge(stamps.der, (), NOW, purpose="timestamping").sub_indication == expected


def _octets(value: core.Asn1Value) -> core.ParsableOctetString:
    return core.ParsableOctetString(value.dump())
