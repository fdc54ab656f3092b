"""Evidence records in XAdES signatures, in XML and in ASN.1; other makers': tests/corpus."""

from __future__ import annotations

import pytest

from gateway.model import Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import evidence_records as records
from gateway.signatures.allowance import PARTS_MAX
from tests.pki.build import ALGORITHMS, DAY, NOW
from tests.unit.signatures.made_xml import checked
from tests.unit.signatures.records_made import Step, archives, by, record_over, told
from tests.unit.signatures.test_xml_xades import advanced, stamped, value_of, with_unsigned
from tests.unit.signatures.xml_records_made import (
    PLACE,
    URIS,
    Maker,
    asn1,
    ats,
    chain,
    coded,
    group,
    sequence,
    tree,
)

PASSED, FAILED = Indication.TOTAL_PASSED, Indication.TOTAL_FAILED


@pytest.fixture(scope="module")
def maker(pki: Pki) -> Maker:
    return Maker(pki)


def test_a_record_in_xml_is_an_archive_time_stamp_over_the_signature(maker: Maker) -> None:
    one = checked(maker.with_record(sequence(chain(1, "sha256", maker.first()))))
    assert (one.indication, told(one), one.hints) == (PASSED, [(PASSED, None)], ())
    assert archives(one)[0].at == NOW


def test_a_record_in_asn1_is_one_as_well(maker: Maker) -> None:
    whole = b"".join(sorted(ALGORITHMS.digest("sha256", one) for one in maker.objects))
    good = records.write(record_over([whole], by(maker.pki), Step(NOW), Step(NOW + DAY)))
    assert told(checked(maker.with_record(asn1(good)))) == [(PASSED, None)] * 2
    bad = records.write(record_over([b"another"], by(maker.pki)))
    assert told(checked(maker.with_record(asn1(bad)))) == [(FAILED, "HASH_FAILURE")]


def test_every_object_of_the_group_counts(maker: Maker) -> None:
    for number, octets in enumerate(maker.objects):
        changed = [*maker.objects]
        changed[number] = octets + b" "
        for objects in (changed, maker.objects[:number] + maker.objects[number + 1 :]):
            record = sequence(chain(1, "sha256", maker.first(objects)))
            assert told(checked(maker.with_record(record))) == [(FAILED, "HASH_FAILURE")], number


def test_a_record_covers_the_properties_before_it_and_none_after_it(pki: Pki) -> None:
    token = stamped(pki, value_of(advanced(pki)))
    maker = Maker(pki, "<x:Before/>")
    record = sequence(chain(1, "sha256", maker.first()))
    file = maker.with_record(record)
    assert told(checked(file)) == [(PASSED, None)]
    assert told(checked(file.replace(b"<x:Before/>", b"<x:Beforehand/>"))) == [
        (FAILED, "HASH_FAILURE")
    ]
    end = b"</x:UnsignedSignatureProperties>"
    assert told(checked(file.replace(end, token.encode() + end))) == [(PASSED, None)]
    assert told(checked(file.replace(b"<x:Before/>", b""))) == [(FAILED, "HASH_FAILURE")]


def test_a_renewal_covers_the_element_of_the_stamp_before(maker: Maker) -> None:
    first = maker.first()
    good = checked(maker.with_record(sequence(chain(1, "sha256", first, maker.renewed(first)))))
    assert told(good) == [(PASSED, None)] * 2
    early, late = archives(good)
    assert (early.renewed_by, late.covers) == (late.sha256, {early.sha256})
    other = maker.renewed(first, over=b"<TimeStamp/>")
    bad = checked(maker.with_record(sequence(chain(1, "sha256", first, other))))
    assert told(bad) == [(FAILED, "HASH_FAILURE")] * 2
    back = maker.renewed(first, NOW - DAY)
    turned = checked(maker.with_record(sequence(chain(1, "sha256", first, back))))
    assert told(turned) == [(FAILED, "TIMESTAMP_ORDER_FAILURE")]


def test_another_chain_covers_the_objects_and_the_chains_before_it(maker: Maker) -> None:
    one = chain(1, "sha256", maker.first())
    good = checked(maker.with_record(sequence(one, maker.another(one))))
    assert told(good) == [(PASSED, None)] * 2
    for other in (
        maker.another(one, alone=True),
        maker.another(one, bare=True),
        maker.another(one, objects=[*maker.objects, b"more"]),
        maker.another(chain(1, "sha256", maker.first())).replace('Order="1" ', ""),
    ):
        assert told(checked(maker.with_record(sequence(one, other)))) == [(FAILED, "HASH_FAILURE")]


def test_what_a_record_has_to_judge_its_stamps_by_is_handed_on(maker: Maker) -> None:
    """And it is under the renewal, with the element it stands in."""
    kinds = {"CERT": b"certificate", "CRL": b"list", "OCSP": b"answer", "SCVP": b"another"}
    held = "".join(
        f'<CryptographicInformation Order="{number}" Type="{kind}">{coded(octets)}'
        "</CryptographicInformation>"
        for number, (kind, octets) in enumerate(kinds.items(), 1)
    )
    end = "</TimeStamp>"
    listed = f"<CryptographicInformationList>{held}</CryptographicInformationList>{end}"
    first = maker.first().replace(end, listed)
    record = sequence(chain(1, "sha256", first, maker.renewed(first)))
    one = checked(maker.with_record(record))
    assert told(one) == [(PASSED, None)] * 2
    assert one.revocations == (("crl", b"list"), ("ocsp", b"answer"))
    assert b"certificate" in one.other_certificates
    changed = checked(maker.with_record(record.replace(coded(b"list"), coded(b"lost"))))
    assert told(changed) == [(FAILED, "HASH_FAILURE")] * 2


def test_records_beside_each_other_do_not_cover_each_other_and_later_ones_do(pki: Pki) -> None:
    maker = Maker(pki)
    pair = [sequence(chain(1, "sha256", maker.first(at=NOW + n * DAY))) for n in range(2)]
    aside = checked(maker.with_record(*pair))
    assert told(aside) == [(PASSED, None)] * 2
    assert [stamp.covers for stamp in archives(aside)] == [frozenset()] * 2
    second = Maker(pki, PLACE.format(pair[0]))
    second.signed = maker.signed
    second.objects = group(second.with_record(""))
    after = checked(second.with_record(sequence(chain(1, "sha256", second.first(at=NOW + DAY)))))
    assert told(after) == [(PASSED, None)] * 2
    first, later = archives(after)
    assert later.covers == {first.sha256}


@pytest.mark.parametrize(("there", "why"), [(3, "HASH_FAILURE"), (4, "FORMAT_FAILURE")])
def test_the_stamps_of_records_are_of_the_files_one_allowance(
    pki: Pki, maker: Maker, there: int, why: str
) -> None:
    """Time stamps over the content have used it up; the record is another file's anyway."""
    stamp = stamped(pki, b"another", "x:AllDataObjectsTimeStamp")
    token = stamp[stamp.index("<x:Encapsulated") : stamp.index("</x:AllData")]
    several = stamp.replace(token, token * (PARTS_MAX // 4)) * there
    signed = f"<x:SignedDataObjectProperties>{several}</x:SignedDataObjectProperties>"
    record = PLACE.format(sequence(chain(1, "sha256", maker.first())))
    one = checked(with_unsigned(advanced(pki, objects=signed), record))
    assert told(one) == [(FAILED, why)]


@pytest.mark.parametrize(
    "record",
    [
        "",
        "<other/>",
        sequence(),
        sequence(chain(1, "sha256")),
        sequence(chain(1, "sha256", ats(1, b"\x30\x00")), version="2.0"),
        sequence(chain(2, "sha256", ats(1, b"\x30\x00"))),
        sequence(chain(1, "sha256", ats(1, b"\x30\x00"), ats(1, b"\x30\x00"))),
        sequence(chain(1, "sha256", ats(1, b"\x30\x00", "<HashTree/>"))),
        sequence(chain(1, "sha256", ats(1, b"\x30\x00", tree([])))),
        sequence(chain(1, "sha256", ats(1, b"\x30\x00"))).replace("RFC3161", "X"),
        sequence(chain(1, "sha256", ats(1, b"\x30\x00", tree([bytes(32)] * 10_001)))),
        asn1(b"\x30\x00"),
        "<e:ASN1EvidenceRecord>&amp;</e:ASN1EvidenceRecord>",
    ],
    ids=lambda record: str(len(record)),
)
def test_what_is_no_record_is_wrong_and_spoils_no_mathematics(maker: Maker, record: str) -> None:
    one = checked(maker.with_record(record))
    assert one.indication is PASSED
    assert told(one) == ([(FAILED, "FORMAT_FAILURE")] if record else [])


def test_a_canonical_form_or_digest_that_nobody_knows_leaves_a_record_undecided(
    maker: Maker,
) -> None:
    first = maker.first()
    strange = chain(1, "sha256", first, maker.renewed(first), method="urn:x")
    one = checked(maker.with_record(sequence(strange)))
    assert told(one) == [(Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE")]
    other = chain(1, "sha256", first).replace(URIS["sha256"], "urn:x")
    assert told(checked(maker.with_record(sequence(other))))[0][0] is Indication.INDETERMINATE


def test_a_record_with_any_octet_changed_never_raises_and_never_holds_for_more(
    maker: Maker,
) -> None:
    first = maker.first()
    one = chain(1, "sha256", first, maker.renewed(first))
    record = sequence(one, maker.another(one)).encode()
    file = maker.with_record(record.decode())
    begins = file.index(record)
    for place in range(begins, begins + len(record), 29):
        changed = file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]
        assert changed != file
        assert told(checked(changed)) != [(PASSED, None)] * 3, place
