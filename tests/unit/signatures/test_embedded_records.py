"""Evidence records inside CMS files: what they cover; verdicts: unit/verification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from asn1crypto import cms as asn1

from gateway.model import CheckedSignature, Indication, Part
from gateway.sandbox.pki import Pki
from gateway.signatures import ber, cms_stripped
from gateway.signatures import cms as form
from gateway.signatures import evidence_records as records
from gateway.signatures.cms_attributes import COUNTER_SIGNATURE, SIGNATURE_TIME_STAMP, Unsigned
from gateway.signatures.embedded_records import RECORDS_MAX
from gateway.signatures.evidence_records import Record
from gateway.signatures.hash_trees import node_of
from tests.pki.build import ALGORITHMS, DAY, NOW
from tests.unit.signatures.cms_made import (
    adding,
    attribute,
    checked,
    counter_signature,
    in_chunks,
    opened,
    stamp,
    tlv,
    value_of,
)
from tests.unit.signatures.made import BUNDLE, document, signed
from tests.unit.signatures.records_made import (
    EXTERNAL,
    INTERNAL,
    Step,
    archived,
    archives,
    by,
    carrying,
    record_over,
    told,
)
from tests.unit.signatures.test_cades import long_term

PASSED, FAILED = Indication.TOTAL_PASSED, Indication.TOTAL_FAILED
RENEWED = (Step(NOW), Step(NOW + DAY), Step(NOW + 2 * DAY, "streebog256", tree=True))


def sha256(octets: bytes) -> bytes:
    return ALGORITHMS.digest("sha256", octets)


def alone(file: bytes) -> CheckedSignature:
    """Return what is found in a file without anything beside it."""
    return form.check(document(file), (), ALGORITHMS)[0]


def test_a_record_in_a_file_is_an_archive_time_stamp_over_it(pki: Pki) -> None:
    """And the hint that it is not checked is gone."""
    one = alone(archived(signed(pki, detached=False), by(pki)))
    assert one.indication is PASSED
    (stamp,) = archives(one)
    assert (stamp.indication, stamp.at) == (PASSED, NOW), stamp.checks
    assert one.hints == ()


def test_a_record_over_another_file_is_wrong_and_bears_no_proof(pki: Pki) -> None:
    """The neighbour: two signatures of the same signer over the same content."""
    file, other = signed(pki, detached=False), signed(pki, detached=False)
    assert file != other
    one = alone(carrying(file, record_over([other], by(pki))))
    assert told(one) == [(FAILED, "HASH_FAILURE")]
    assert archives(one)[0].checks[0].detail == "time stamp 1 covers something else"


def test_what_came_into_the_file_after_the_record_is_not_under_it(pki: Pki) -> None:
    """The record says what the file was; with anything more it is another file."""
    file = archived(signed(pki, detached=False), by(pki))
    more = adding(file, attribute(SIGNATURE_TIME_STAMP, stamp(pki, value_of(file))))
    assert told(alone(more)) == [(FAILED, "HASH_FAILURE")]


def test_a_record_covers_what_stood_beside_the_signature_before_it(pki: Pki) -> None:
    file = long_term(pki)
    one = checked(archived(file, by(pki), content=BUNDLE))
    assert (one.level, told(one)) == ("LTA", [(PASSED, None)])
    info = opened(archived(file, by(pki), content=BUNDLE))
    info["content"]["certificates"] = list(info["content"]["certificates"])[:1]
    assert told(checked(info.dump(force=True))) == [(FAILED, "HASH_FAILURE")]


def test_an_external_record_covers_the_content_as_well(pki: Pki) -> None:
    file = signed(pki)
    good = record_over([file, BUNDLE], by(pki))
    assert told(checked(carrying(file, good, kind=EXTERNAL))) == [(PASSED, None)]
    for objects in ([file], [BUNDLE], [file, BUNDLE + b" "]):
        bad = record_over(objects, by(pki))
        one = checked(carrying(file, bad, kind=EXTERNAL))
        assert told(one) == [(FAILED, "HASH_FAILURE")], objects


def test_an_external_record_of_content_inside_the_file_covers_both(pki: Pki) -> None:
    file = signed(pki, detached=False)
    good = record_over([file, BUNDLE], by(pki))
    assert told(alone(carrying(file, good, kind=EXTERNAL))) == [(PASSED, None)]


def test_without_the_content_nobody_can_tell_what_an_external_record_covers(pki: Pki) -> None:
    one = alone(archived(signed(pki), by(pki), content=BUNDLE))
    assert told(one) == [(Indication.INDETERMINATE, "SIGNED_DATA_NOT_FOUND")]


def test_other_things_may_be_in_the_group_that_was_stamped(pki: Pki) -> None:
    """That the file is in the first list is what makes it exist (section 4.3)."""
    file = signed(pki, detached=False)
    group = record_over([file, b"beside", b"and more"], by(pki))
    assert told(alone(carrying(file, group))) == [(PASSED, None)]


def test_a_record_without_a_tree_is_over_the_file_itself_and_nothing_beside_it(pki: Pki) -> None:
    file = signed(pki, detached=False)
    token = by(pki)("sha256", sha256(file), NOW)
    bare = Record(chains=((records.Stamp(digest="sha256", lists=(), token=token),),))
    assert told(alone(carrying(file, bare))) == [(PASSED, None)]
    assert told(alone(carrying(file, bare, kind=EXTERNAL))) == [(FAILED, "HASH_FAILURE")]
    both = node_of([sha256(file), sha256(BUNDLE)], sha256)
    stamp = records.Stamp(digest="sha256", lists=(), token=by(pki)("sha256", both, NOW))
    joined = alone(carrying(file, Record(chains=((stamp,),)), kind=EXTERNAL))
    assert told(joined) == [(FAILED, "HASH_FAILURE")]


def test_a_record_that_was_renewed_gives_every_stamp_in_its_time(pki: Pki) -> None:
    one = alone(archived(signed(pki, detached=False), by(pki), *RENEWED))
    assert told(one) == [(PASSED, None)] * 3
    assert [stamp.at for stamp in archives(one)] == [NOW, NOW + DAY, NOW + 2 * DAY]
    first, second, third = archives(one)
    assert (first.renewed_by, second.renewed_by, third.renewed_by) == (
        second.sha256,
        third.sha256,
        "",
    )
    assert third.covers == {first.sha256, second.sha256}


def test_a_renewal_that_covers_another_stamp_breaks_the_record(pki: Pki) -> None:
    file = signed(pki, detached=False)
    good, other = (record_over([file], by(pki), *RENEWED[:2]) for _ in range(2))
    mixed = Record(chains=((good.stamps[0], other.stamps[1]),))
    one = alone(carrying(file, mixed))
    assert told(one) == [(FAILED, "HASH_FAILURE")]
    assert archives(one)[0].checks[0].detail == "time stamp 2 covers something else"


def test_a_new_tree_that_leaves_the_chains_before_it_out_breaks_the_record(pki: Pki) -> None:
    file = signed(pki, detached=False)
    good = record_over([file], by(pki), *RENEWED)
    lone = record_over([file], by(pki), Step(NOW + 2 * DAY, "streebog256"))
    one = alone(carrying(file, Record(chains=(good.chains[0], lone.chains[0]))))
    assert told(one) == [(FAILED, "HASH_FAILURE")]


def test_one_token_over_another_root_makes_all_stamps_of_its_record_wrong(pki: Pki) -> None:
    """Somebody put it together: nobody should rest on the part that holds."""
    file = signed(pki, detached=False)
    first, second = record_over([file], by(pki), *RENEWED[:2]).stamps
    forged = replace(second, octets=b"", token=by(pki)("sha256", bytes(32), NOW + DAY))
    one = alone(carrying(file, Record(chains=((first, forged),))))
    assert told(one) == [(FAILED, "HASH_FAILURE")] * 2


def test_a_renewal_older_than_what_it_renews_breaks_the_record(pki: Pki) -> None:
    file = archived(signed(pki, detached=False), by(pki), Step(NOW), Step(NOW - DAY))
    assert told(alone(file)) == [(FAILED, "TIMESTAMP_ORDER_FAILURE")]


def test_a_digest_that_has_aged_carries_no_record_unless_a_new_tree_came_in_time(
    pki: Pki,
) -> None:
    """SHA-1 ended long ago; what was renewed by then had been there."""
    file, then = signed(pki, detached=False), NOW.replace(year=2008)
    old, new = Step(then, "sha1"), Step(NOW.replace(year=2010), tree=True)
    aged = alone(archived(file, by(pki), old))
    assert told(aged) == [(Indication.INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE")]
    renewed = alone(archived(file, by(pki), old, new))
    assert told(renewed) == [(PASSED, None)] * 2
    late = Step(NOW, tree=True)
    assert told(alone(archived(file, by(pki), old, late)))[0][1] == "CRYPTO_CONSTRAINTS_FAILURE"


def test_a_later_record_covers_those_before_it(pki: Pki) -> None:
    file = signed(pki, detached=False)
    once = archived(file, by(pki))
    twice = alone(archived(once, by(pki), Step(NOW + DAY)))
    assert told(twice) == [(PASSED, None)] * 2
    first, second = archives(twice)
    assert (first.covers, second.covers) == (frozenset(), {first.sha256})
    apart = carrying(once, record_over([file], by(pki), Step(NOW + DAY)))
    assert told(alone(apart)) == [(PASSED, None), (FAILED, "HASH_FAILURE")]


def test_records_count_in_the_order_of_their_times_wherever_they_stand(pki: Pki) -> None:
    """Unsigned attributes are a SET: DER may well put the later one first."""
    file = signed(pki, detached=False)
    first = record_over([file], by(pki))
    second = record_over([carrying(file, first)], by(pki), Step(NOW + DAY))
    turned = carrying(carrying(file, second), first)
    assert told(alone(turned)) == [(PASSED, None)] * 2


def test_records_in_one_attribute_stand_beside_each_other(pki: Pki) -> None:
    file = signed(pki, detached=False)
    pair = [record_over([file], by(pki), Step(NOW + n * DAY)) for n in range(2)]
    one = alone(carrying(file, *pair))
    assert told(one) == [(PASSED, None)] * 2
    assert [stamp.covers for stamp in archives(one)] == [frozenset()] * 2
    other = alone(carrying(file, pair[0], record_over([b"another"], by(pki))))
    assert told(other) == [(PASSED, None), (FAILED, "HASH_FAILURE")]


def together(pki: Pki) -> bytes:
    """Return a detached file with the signatures of a doctor and an organisation."""
    info, other = opened(signed(pki)), opened(signed(pki, "gost256-organisation"))
    info["content"]["signer_infos"].append(other["content"]["signer_infos"][0])
    for certificate in other["content"]["certificates"]:
        info["content"]["certificates"].append(certificate)
    return bytes(info.dump(force=True))


def both(file: bytes) -> tuple[CheckedSignature, ...]:
    part = Part(name="signature", media_type="application/octet-stream", body=file)
    return form.check(document(BUNDLE), (part,), ALGORITHMS)


def test_a_record_speaks_for_every_signature_in_the_file(pki: Pki) -> None:
    file = archived(together(pki), by(pki), content=BUNDLE)
    assert [told(one) for one in both(file)] == [[(PASSED, None)]] * 2


def test_a_record_may_stand_at_any_signature_of_the_file(pki: Pki) -> None:
    """Signatures are a SET: whose it was when the record came, nobody can tell."""
    file = together(pki)
    written = attribute(INTERNAL, records.write(record_over([file], by(pki))))
    assert [told(one) for one in both(to_last_signer(file, written))] == [[(PASSED, None)]] * 2


def test_attributes_of_one_signer_that_cannot_be_read_are_told_of_it_alone(pki: Pki) -> None:
    first, second = both(to_last_signer(together(pki), b"\x04\x01a"))
    assert (first.indication, second.indication) == (PASSED, FAILED)


@pytest.mark.parametrize("indefinite", [True, False])
def test_a_file_in_ber_is_covered_as_it_is_coded_or_in_der(pki: Pki, indefinite: bool) -> None:
    """RFC 4998 leaves the coding alone, ETSI asks for DER: both are read, nothing between."""
    file = in_chunks(signed(pki, detached=False), 20, indefinite=indefinite)
    for covered, verdict in (
        (file, (PASSED, None)),
        (cms_stripped.in_der(file), (PASSED, None)),
        (file[:-1], (FAILED, "HASH_FAILURE")),
    ):
        record = records.write(record_over([covered], by(pki)))
        taken = to_last_signer(file, attribute(INTERNAL, record))
        assert told(alone(taken)) == [verdict]


def to_last_signer(file: bytes, *written: bytes) -> bytes:
    """Return a file whose last signer has these unsigned attributes, its coding left as it is."""

    def last(octets: bytes, change: Callable[[bytes], bytes]) -> bytes:
        *before, end = ber.elements(ber.contents(octets))
        inner = b"".join([*before, change(end)])
        if octets[1] == 0x80:
            return octets[:2] + inner + ber.CONTENTS_END
        return tlv(octets[0], inner)

    def signer(octets: bytes) -> bytes:
        return tlv(0x30, ber.contents(octets) + tlv(0xA1, b"".join(written)))

    return last(file, lambda a: last(a, lambda b: last(b, lambda c: last(c, signer))))


def test_a_set_out_of_order_is_covered_as_it_stands_or_in_the_order_of_der(pki: Pki) -> None:
    turned = (attribute(kind, b"\x05\x00") for kind in ("1.2.9", "1.2.3"))
    file = adding(signed(pki, detached=False), *turned)
    ordered = cms_stripped.in_der(file)
    assert ordered != file
    for covered in (file, ordered):
        assert told(alone(carrying(file, record_over([covered], by(pki))))) == [(PASSED, None)]


def test_unsigned_attributes_of_unstated_length_are_taken_as_they_stand(pki: Pki) -> None:
    """A library that writes them anew puts them in another order, and another one is taken out."""
    file = signed(pki, detached=False)

    def loose(*several: bytes) -> bytes:
        """Return the file with attributes in BER, in the order they are given."""
        written = adding(file, *several)
        inner = b"".join(several)
        field = tlv(0xA1, inner)
        assert written.endswith(field)
        levels = [b"\xa1\x80" + inner + ber.CONTENTS_END]

        def open_ended(octets: bytes) -> bytes:
            *before, last = ber.elements(ber.contents(octets))
            end = levels[0] if last == field else open_ended(last)
            return octets[:1] + b"\x80" + b"".join([*before, end]) + ber.CONTENTS_END

        return open_ended(written)

    other, early = attribute("1.2.9", b"\x05\x00"), attribute("1.2.3", b"\x05\x00")
    before = loose(other, early)
    record = records.write(record_over([before], by(pki)))
    whole = loose(other, attribute(INTERNAL, record), early)
    assert cms_stripped.without(whole, [(0, 1)]) == before
    assert told(alone(whole)) == [(PASSED, None)]


def test_every_set_of_a_file_is_put_in_the_order_of_der(pki: Pki) -> None:
    info, other = opened(together(pki)), opened(signed(pki, "rsa-doctor"))["content"]
    info["content"]["digest_algorithms"].append(other["digest_algorithms"][0])
    info["content"]["signer_infos"].append(other["signer_infos"][0])
    file = info.dump(force=True)

    def turned(octets: bytes) -> bytes:
        return tlv(octets[0], b"".join(reversed(ber.elements(ber.contents(octets)))))

    kind, explicit = ber.elements(ber.contents(file))
    version, digests, content, certificates, signers = ber.elements(
        ber.contents(ber.contents(explicit))
    )
    for fields in (
        [version, turned(digests), content, certificates, signers],
        [version, digests, content, turned(certificates), signers],
        [version, digests, content, certificates, turned(signers)],
    ):
        loose = tlv(0x30, kind + tlv(0xA0, tlv(0x30, b"".join(fields))))
        assert loose != file
        assert cms_stripped.in_der(loose) == cms_stripped.in_der(file)


@pytest.mark.parametrize("size", [0, 1, 90, 127, 128, 255, 256, 65_500, 70_000])
def test_a_file_without_what_was_added_is_the_file_that_was(pki: Pki, size: int) -> None:
    """Lengths grow on the way in, over every border there is, and shrink on the way out."""
    for file in (signed(pki), long_term(pki)):
        count = len(Unsigned.of(opened(file)["content"]["signer_infos"][0]).attributes)
        more = adding(file, attribute("1.2.3", tlv(0x04, bytes(size))))
        assert cms_stripped.without(more, [(0, count)]) == file
        assert cms_stripped.without(more, []) == more


def test_a_record_in_a_counter_signature_is_said_not_to_be_checked(pki: Pki) -> None:
    """It would be over a file that never was: a counter-signature is part of another one."""
    file = signed(pki)
    counter = counter_signature(pki, value_of(file))
    held = asn1.SignerInfo.load(counter)
    held["unsigned_attrs"] = asn1.CMSAttributes.load(
        tlv(0x31, attribute(INTERNAL, records.write(record_over([counter], by(pki)))))
    )
    one = checked(adding(file, attribute(COUNTER_SIGNATURE, held.dump(force=True))))
    (inner,) = one.counter_signatures
    assert inner.hints == ("evidence records are not checked",)
    assert archives(inner) == []


def test_what_is_no_record_is_wrong_and_spoils_no_mathematics(pki: Pki) -> None:
    for kind in (INTERNAL, EXTERNAL):
        one = checked(carrying(signed(pki), b"\x30\x00", kind=kind))
        assert (one.indication, told(one)) == (PASSED, [(FAILED, "FORMAT_FAILURE")])


def test_a_file_may_have_a_few_records_and_no_more(pki: Pki) -> None:
    file = signed(pki, detached=False)
    several = [record_over([file], by(pki)) for _ in range(RECORDS_MAX)]
    assert told(alone(carrying(file, *several))) == [(PASSED, None)] * RECORDS_MAX
    over = alone(carrying(file, *several, several[0]))
    assert (over.indication, over.sub_indication) == (FAILED, "FORMAT_FAILURE")


def test_a_record_among_ten_thousand_others_holds(pki: Pki) -> None:
    file = signed(pki, detached=False)
    tree = record_over([file], by(pki), others=9_999)
    assert told(alone(carrying(file, tree))) == [(PASSED, None)]
    group = record_over([file, *(b"%d" % n for n in range(9_999))], by(pki), others=0)
    assert told(alone(carrying(file, group))) == [(PASSED, None)]
    wider = record_over([file, *(b"%d" % n for n in range(10_000))], by(pki), others=0)
    assert told(alone(carrying(file, wider))) == [(FAILED, "FORMAT_FAILURE")]


def test_a_record_with_any_octet_changed_never_raises_and_never_holds_for_more(pki: Pki) -> None:
    file = signed(pki, detached=False)
    octets = records.write(record_over([file], by(pki), *RENEWED))
    held = 0
    for place in range(0, len(octets), 5):
        changed = octets[:place] + bytes([octets[place] ^ 0x41]) + octets[place + 1 :]
        one = alone(carrying(file, changed))
        held += {stamp.indication for stamp in archives(one)} == {PASSED}
    # Certificates beside the authority's own, and the list of digests in the head.
    assert 0 < held < len(octets) / 5 / 2


def test_a_file_cut_short_anywhere_never_raises(pki: Pki) -> None:
    file = archived(signed(pki, detached=False), by(pki))
    for end in range(0, len(file), 5):
        part = document(file[:end], "application/pkcs7-mime")
        (one,) = form.check(part, (), ALGORITHMS)
        assert (one.indication, one.timestamps) == (FAILED, ())
