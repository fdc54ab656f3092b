"""CAdES: time stamps of every kind, validation values and counter-signatures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from asn1crypto import cms as asn1
from asn1crypto import crl, ocsp, x509

from gateway.model import CheckedTimestamp, Indication
from gateway.sandbox import certificates as made
from gateway.sandbox.pki import Pki, load_authority
from gateway.signatures.allowance import PARTS_MAX, STAMPED_BYTES_MAX
from gateway.signatures.cms_attributes import (
    ARCHIVE_V2,
    ARCHIVE_V3,
    CERTIFICATE_REFERENCES,
    CERTIFICATE_VALUES,
    CONTENT_TIME_STAMP,
    COUNTER_SIGNATURE,
    LONG_TERM,
    REFERENCES_TIME_STAMP,
    REVOCATION_REFERENCES,
    REVOCATION_VALUES,
    SIGNATURE_TIME_STAMP,
    VALIDATION_TIME_STAMP,
)
from tests.pki.build import ALGORITHMS, CURRENT, DAY, NOW
from tests.unit.signatures.cms_made import (
    adding,
    archived_v2,
    archived_v3,
    attribute,
    checked,
    counter_signature,
    countersigned,
    opened,
    resigned,
    stamp,
    tlv,
    value_of,
)
from tests.unit.signatures.made import BUNDLE, signed

PASSED = Indication.TOTAL_PASSED


def stamped(pki: Pki) -> bytes:
    file = signed(pki)
    return adding(file, attribute(SIGNATURE_TIME_STAMP, stamp(pki, value_of(file))))


def revocation_values(pki: Pki) -> bytes:
    """Return RevocationValues with a list and a bare BasicOCSPResponse."""
    authority = load_authority(pki.folder, "gost256-ca")
    (certificate,) = (x509.Certificate.load(pki.signer("gost256-doctor").chain()[0]),)
    whole = made.ocsp_response(certificate, authority, authority, CURRENT, ALGORITHMS)
    basic = whole["response_bytes"]["response"].parsed.dump()
    issued = made.revocation_list(authority, [], 9, CURRENT, ALGORITHMS).dump()
    return tlv(0x30, tlv(0xA0, tlv(0x30, issued)) + tlv(0xA1, tlv(0x30, basic)))


def long_term(pki: Pki) -> bytes:
    file = stamped(pki)
    chain = tlv(0x30, b"".join(pki.signer("gost256-doctor").chain()))
    return adding(
        file,
        attribute(CERTIFICATE_VALUES, chain),
        attribute(REVOCATION_VALUES, revocation_values(pki)),
    )


def only(timestamps: tuple[CheckedTimestamp, ...]) -> CheckedTimestamp:
    (one,) = timestamps
    return one


def test_a_signature_time_stamp_makes_level_t(pki: Pki) -> None:
    one = checked(stamped(pki))
    assert (one.indication, one.level) == (PASSED, "T")
    token = only(one.timestamps)
    assert (token.kind, token.at, token.indication) == ("signature", NOW, PASSED)
    assert pki.signer("gost256-tsa").chain()[0] in one.other_certificates


def test_a_time_stamp_of_another_signature_is_not_ours(pki: Pki) -> None:
    """Case G1: a token copied from another file has a perfect signature of its own."""
    other = value_of(signed(pki, "gost256-organisation"))
    one = checked(adding(signed(pki), attribute(SIGNATURE_TIME_STAMP, stamp(pki, other))))
    assert (one.indication, one.level) == (PASSED, "BES")
    assert only(one.timestamps).sub_indication == "HASH_FAILURE"


def test_several_time_stamps_are_each_looked_at(pki: Pki) -> None:
    file = signed(pki)
    good, bad = stamp(pki, value_of(file)), stamp(pki, b"something else")
    one = checked(adding(file, attribute(SIGNATURE_TIME_STAMP, good, bad)))
    assert [t.indication for t in one.timestamps] == [PASSED, Indication.TOTAL_FAILED]


def test_a_content_time_stamp_is_over_the_content(pki: Pki) -> None:
    def stamping(octets: bytes) -> Callable[[asn1.SignerInfo], None]:
        def change(signer: asn1.SignerInfo) -> None:
            more = asn1.CMSAttribute.load(attribute(CONTENT_TIME_STAMP, stamp(pki, octets)))
            signer["signed_attrs"] = asn1.CMSAttributes([*signer["signed_attrs"], more])

        return change

    one = checked(resigned(pki, stamping(BUNDLE)))
    assert one.indication is PASSED, one.checks
    token = only(one.timestamps)
    assert (token.kind, token.indication) == ("content", PASSED)
    bad = checked(resigned(pki, stamping(BUNDLE + b" ")))
    assert only(bad.timestamps).sub_indication == "HASH_FAILURE"


def test_values_for_the_long_term_are_handed_to_trust(pki: Pki) -> None:
    one = checked(long_term(pki))
    assert (one.indication, one.level) == (PASSED, "LT")
    assert pki.signer("gost256-doctor").chain()[1] in one.other_certificates
    kinds = [kind for kind, _ in one.revocations]
    assert kinds == ["crl", "ocsp"]
    assert crl.CertificateList.load(one.revocations[0][1]).issuer
    answer = ocsp.OCSPResponse.load(one.revocations[1][1])
    assert answer["response_status"].native == "successful"


def test_values_beside_the_certificates_count_as_well(pki: Pki) -> None:
    """The newer way: lists and answers in SignedData.crls (EN 319 122-1, 5.4.2)."""
    authority = load_authority(pki.folder, "gost256-ca")
    issued = made.revocation_list(authority, [], 9, CURRENT, ALGORITHMS)
    info = opened(stamped(pki))
    info["content"]["crls"] = [asn1.RevocationInfoChoice("crl", issued)]
    one = checked(info.dump(force=True))
    assert (one.level, one.revocations) == ("LT", (("crl", issued.dump()),))


def test_references_may_be_stamped_alone_or_with_the_signature(pki: Pki) -> None:
    """CAdES-X types 1 and 2; what is stamped has no tag of the attribute's own."""
    file = stamped(pki)
    certificates = attribute(CERTIFICATE_REFERENCES, tlv(0x30, b""))
    revocations = attribute(REVOCATION_REFERENCES, tlv(0x30, b""))
    references = certificates[2:] + revocations[2:]
    (first,) = opened(file)["content"]["signer_infos"][0]["unsigned_attrs"]
    whole = value_of(file) + first.contents + references
    one = checked(
        adding(
            file,
            certificates,
            revocations,
            attribute(REFERENCES_TIME_STAMP, stamp(pki, references)),
            attribute(VALIDATION_TIME_STAMP, stamp(pki, whole)),
        )
    )
    assert [(t.kind, t.indication) for t in one.timestamps] == [
        ("signature", PASSED),
        ("references", PASSED),
        ("references", PASSED),
    ]
    bad = checked(
        adding(file, certificates, attribute(REFERENCES_TIME_STAMP, stamp(pki, references)))
    )
    assert bad.timestamps[1].sub_indication == "HASH_FAILURE"


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_archive_time_stamp_covers_what_its_index_names(pki: Pki, version: int) -> None:
    file = archived_v3(pki, long_term(pki), BUNDLE, version)
    one = checked(file)
    assert (one.indication, one.level) == (PASSED, "LTA"), (one.timestamps, one.hints)
    assert [t.kind for t in one.timestamps] == ["signature", "archive"]
    other = checked(archived_v3(pki, long_term(pki), BUNDLE + b" ", version))
    assert other.timestamps[1].sub_indication == "HASH_FAILURE"
    assert other.level == "LT"


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_archive_time_stamp_with_a_weak_index_proves_nothing(pki: Pki, version: int) -> None:
    """What the index names by SHA-1 may have been put in its place since."""
    one = checked(archived_v3(pki, long_term(pki), BUNDLE, version, "sha1"))
    archive = one.timestamps[1]
    assert (archive.indication, archive.sub_indication) == (
        Indication.INDETERMINATE,
        "CRYPTO_CONSTRAINTS_FAILURE",
    )
    assert (one.indication, one.level) == (PASSED, "LT")


def test_an_archive_time_stamp_goes_on_holding_when_more_is_added(pki: Pki) -> None:
    """What came later is in no index and breaks none: a second archive time stamp, say."""
    once = archived_v3(pki, long_term(pki), BUNDLE)
    twice = checked(archived_v3(pki, once, BUNDLE))
    assert [t.indication for t in twice.timestamps] == [PASSED] * 3


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_archive_time_stamp_covers_no_token_that_came_later(pki: Pki, version: int) -> None:
    archived = archived_v3(pki, long_term(pki), BUNDLE, version)
    late = attribute(SIGNATURE_TIME_STAMP, stamp(pki, b"later"))
    first, second, archive = checked(adding(archived, late)).timestamps
    assert archive.indication is PASSED
    assert (first.sha256 in archive.covers, second.sha256 in archive.covers) == (True, False)


def test_an_archive_time_stamp_misses_what_was_taken_away(pki: Pki) -> None:
    file = archived_v3(pki, long_term(pki), BUNDLE)
    info = opened(file)
    info["content"]["certificates"] = list(info["content"]["certificates"])[:1]
    one = checked(info.dump(force=True))
    assert one.timestamps[1].sub_indication == "HASH_FAILURE"
    assert one.hints == ("archive time stamp: names a certificate that is not there",)


def test_an_archive_time_stamp_without_an_index_proves_nothing(pki: Pki) -> None:
    file = adding(stamped(pki), attribute(ARCHIVE_V3, stamp(pki, BUNDLE)))
    one = checked(file)
    assert one.timestamps[1].indication is Indication.TOTAL_FAILED
    assert one.hints == ("archive time stamp: 0 indexes",)


@pytest.mark.parametrize("tagged", [True, False])
def test_an_older_archive_time_stamp_covers_the_file_as_it_stood(pki: Pki, tagged: bool) -> None:
    file = archived_v2(pki, long_term(pki), BUNDLE, tagged=tagged)
    one = checked(file)
    assert (one.indication, one.level) == (PASSED, "LTA"), one.timestamps
    info = opened(file)
    info["content"]["certificates"] = list(info["content"]["certificates"])[:1]
    other = checked(info.dump(force=True))
    assert other.timestamps[1].sub_indication == "HASH_FAILURE"


def test_older_archive_time_stamps_cover_those_before_them(pki: Pki) -> None:
    """The first covers none of the later ones, the second covers the first."""
    once = archived_v2(pki, long_term(pki), BUNDLE)
    twice = checked(archived_v2(pki, once, BUNDLE, at=NOW + DAY))
    tokens = {t.sha256 for t in twice.timestamps}
    assert [len(t.covers & tokens) for t in twice.timestamps] == [0, 1, 2]
    assert [t.indication for t in twice.timestamps] == [PASSED] * 3
    assert [t.at for t in twice.timestamps] == [NOW, NOW, NOW + DAY]


def test_long_term_validation_hands_over_what_it_adds(pki: Pki) -> None:
    chain = b"".join(pki.signer("rsa-doctor").chain())
    moment = b"\x18\x0f20261121120000Z"
    file = adding(stamped(pki), attribute(LONG_TERM, tlv(0x30, moment + tlv(0xA0, chain))))
    one = checked(file)
    assert one.indication is PASSED
    assert set(pki.signer("rsa-doctor").chain()) <= set(one.other_certificates)


def test_a_counter_signature_is_a_signature_over_the_value(pki: Pki) -> None:
    file = signed(pki)
    one = checked(countersigned(pki, file))
    assert one.indication is PASSED, one.checks
    (counter,) = one.counter_signatures
    assert counter.indication is PASSED, counter.checks
    assert counter.certificate == pki.signer("gost256-organisation").chain()[0]
    (covered,) = counter.covered
    assert (covered.octets, covered.scope) == (value_of(file), "COUNTER_SIGNATURE")
    assert covered.covers_enclosing is False


def test_a_counter_signature_over_another_value_fails_alone(pki: Pki) -> None:
    """The signature it stands in holds; whoever counter-signed meant another one."""
    other = signed(pki, "gost256-doctor", octets=BUNDLE + b" ")
    one = checked(
        countersigned(pki, signed(pki), lambda _: counter_signature(pki, value_of(other)))
    )
    (counter,) = one.counter_signatures
    assert (counter.indication, counter.sub_indication) == (
        Indication.TOTAL_FAILED,
        "HASH_FAILURE",
    )
    assert one.indication is PASSED


def test_a_document_signature_is_no_counter_signature(pki: Pki) -> None:
    """It signs a content type, which a counter-signature must not (RFC 5652, 11.4)."""
    signer = opened(signed(pki, "gost256-organisation"))["content"]["signer_infos"][0].dump()
    one = checked(countersigned(pki, signed(pki), lambda _: signer))
    assert one.counter_signatures[0].sub_indication == "FORMAT_FAILURE"


def nested(pki: Pki, depth: int) -> bytes:
    """Return a file whose counter-signature is counter-signed, `depth` deep."""
    file = signed(pki)
    chain = [counter_signature(pki, value_of(file))]
    for _ in range(depth - 1):
        value = asn1.SignerInfo.load(chain[-1])["signature"].native
        chain.append(counter_signature(pki, value))
    inner = chain.pop()
    while chain:
        outer = asn1.SignerInfo.load(chain.pop())
        outer["unsigned_attrs"] = asn1.CMSAttributes.load(
            tlv(0x31, attribute(COUNTER_SIGNATURE, inner))
        )
        inner = outer.dump(force=True)
    return countersigned(pki, file, lambda _: inner)


def test_counter_signatures_may_be_counter_signed_but_not_for_ever(pki: Pki) -> None:
    one = checked(nested(pki, 3))
    deep = one.counter_signatures[0].counter_signatures[0].counter_signatures[0]
    assert deep.indication is PASSED
    assert deep.place.count("counter-signature") == 3
    lost = checked(nested(pki, 5))
    for _ in range(4):
        (lost,) = lost.counter_signatures
    assert lost.sub_indication == "FORMAT_FAILURE"


@pytest.mark.parametrize(
    "more",
    [
        attribute(COUNTER_SIGNATURE, b"\x30\x00"),
        attribute(REVOCATION_VALUES, tlv(0x30, b"\xa0\x00")),
        b"\x30\x00",
        b"\x04\x01a",
        attribute(SIGNATURE_TIME_STAMP, *[b"\x30\x00"] * 65),
        b"".join(attribute("1.2.3", b"\x05\x00") for _ in range(129)),
        attribute(CERTIFICATE_VALUES, tlv(0x30, b"\x30\x00" * 129)),
        attribute(ARCHIVE_V3, *[b"\x30\x00"] * 17),
    ],
    ids=[
        "counter-signature",
        "revocation",
        "empty",
        "string",
        "tokens",
        "attributes",
        "values",
        "archives",
    ],
)
def test_unsigned_attributes_that_cannot_be_read_never_raise(pki: Pki, more: bytes) -> None:
    one = checked(adding(signed(pki), more))
    inner = one.counter_signatures[0] if one.counter_signatures else one
    assert (inner.indication, inner.sub_indication) == (
        Indication.TOTAL_FAILED,
        "FORMAT_FAILURE",
    )


def test_a_file_has_one_allowance_for_all_its_signers(pki: Pki) -> None:
    """Strangers can add as many counter-signatures as a file has room for."""
    file = signed(pki)
    counter = counter_signature(pki, value_of(file))
    whole = checked(adding(file, attribute(COUNTER_SIGNATURE, *[counter] * PARTS_MAX)))
    assert (whole.indication, len(whole.counter_signatures)) == (PASSED, PARTS_MAX)
    over = checked(adding(file, attribute(COUNTER_SIGNATURE, *[counter] * (PARTS_MAX + 1))))
    assert over.sub_indication == "FORMAT_FAILURE"


def test_content_is_not_digested_over_and_over_for_older_archive_time_stamps(pki: Pki) -> None:
    file = stamped(pki)
    token = stamp(pki, b"another")
    content = bytes(STAMPED_BYTES_MAX // 8)
    many = adding(signed(pki, octets=content), attribute(ARCHIVE_V2, *[token] * 8))
    assert checked(many, content).sub_indication == "FORMAT_FAILURE"
    few = checked(adding(file, attribute(ARCHIVE_V2, *[token] * 8)))
    assert few.indication is PASSED


def test_a_time_stamp_that_cannot_be_read_is_said_and_spoils_nothing_else(pki: Pki) -> None:
    one = checked(adding(signed(pki), attribute(SIGNATURE_TIME_STAMP, b"\x04\x01x")))
    assert only(one.timestamps).sub_indication == "FORMAT_FAILURE"
    assert (one.indication, one.level) == (PASSED, "BES")


def test_a_file_with_everything_in_it_holds_in_every_part(pki: Pki) -> None:
    """Counter-signed, with values for the long term and under an archive time stamp."""
    file = countersigned(pki, long_term(pki))
    for archived in (archived_v3(pki, file, BUNDLE), archived_v2(pki, file, BUNDLE)):
        one = checked(archived)
        parts = (one, *one.counter_signatures, *one.timestamps)
        assert len(parts) == 4
        assert {part.indication for part in parts} == {PASSED}
