"""Evidence records in XAdES signatures, in XML and in ASN.1; other makers': tests/corpus."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime

import pytest
from lxml import etree

from gateway.model import CheckedSignature, CheckedTimestamp, Indication
from gateway.sandbox.pki import Pki
from gateway.sandbox.timestamping import TimestampAuthority
from gateway.signatures import evidence_records as records
from gateway.signatures import xml_names as names
from gateway.signatures.allowance import PARTS_MAX
from gateway.xml import c14n
from gateway.xml.parser import parse
from tests.pki.build import ALGORITHMS, DAY, NOW
from tests.unit.signatures.made_xml import checked
from tests.unit.signatures.records_made import Step, by, record_over
from tests.unit.signatures.test_xml_xades import DS, advanced, stamped, value_of, with_unsigned

PASSED, FAILED = Indication.TOTAL_PASSED, Indication.TOTAL_FAILED
PLACE = '<e:SealingEvidenceRecords xmlns:e="http://uri.etsi.org/19132/v1.1.1#">{}</e:SealingEvidenceRecords>'
ERS = "urn:ietf:params:xml:ns:ers"
URIS = {name: uri for uri, name in names.DIGESTS.items()}


def archives(one: CheckedSignature) -> list[CheckedTimestamp]:
    return [stamp for stamp in one.timestamps if stamp.kind == "archive"]


def told(one: CheckedSignature) -> list[tuple[Indication, str | None]]:
    return [(stamp.indication, stamp.sub_indication) for stamp in archives(one)]


def group(file: bytes, less: int = 1) -> list[bytes]:
    """Return the objects that a record in the last property is over, `less` from the end."""
    root = parse(file)
    signature = next(root.iter(f"{DS}Signature"))

    def canonical(found: etree._Element) -> bytes:
        return c14n.canonical(found, method)

    method = next(root.iter(f"{DS}CanonicalizationMethod")).get("Algorithm") or ""
    (holder,) = root.iter("{*}UnsignedSignatureProperties")
    return [
        c14n.canonical_document(root, c14n.C14N_10, omit=[signature]),
        c14n.canonical(next(root.iter("{*}SignedProperties")), c14n.EXCLUSIVE),
        *(
            canonical(next(root.iter(f"{DS}{name}")))
            for name in ("SignedInfo", "SignatureValue", "KeyInfo")
        ),
        *map(canonical, list(holder)[:-less]),
    ]


def digest_of(name: str, objects: Sequence[bytes]) -> bytes:
    hashes = sorted(ALGORITHMS.digest(name, one) for one in objects)
    return ALGORITHMS.digest(name, b"".join(hashes))


def coded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def tree(*levels: Sequence[bytes]) -> str:
    """Return a HashTree."""
    return "<HashTree>{}</HashTree>".format(
        "".join(
            f'<Sequence Order="{number}">'
            + "".join(f"<DigestValue>{coded(one)}</DigestValue>" for one in sorted(level))
            + "</Sequence>"
            for number, level in enumerate(levels, 1)
        )
    )


def ats(order: int, token: bytes, hashes: str = "") -> str:
    return (
        f'<ArchiveTimeStamp Order="{order}">{hashes}<TimeStamp>'
        f'<TimeStampToken Type="RFC3161">{coded(token)}</TimeStampToken></TimeStamp>'
        "</ArchiveTimeStamp>"
    )


def chain(order: int, digest: str, *stamps: str, method: str = c14n.EXCLUSIVE) -> str:
    return (
        f'<ArchiveTimeStampChain Order="{order}"><DigestMethod Algorithm="{URIS[digest]}"/>'
        f'<CanonicalizationMethod Algorithm="{method}"/>{"".join(stamps)}</ArchiveTimeStampChain>'
    )


def sequence(*chains: str, version: str = "1.0") -> str:
    return (
        f'<EvidenceRecord xmlns="{ERS}" Version="{version}"><ArchiveTimeStampSequence>'
        f"{''.join(chains)}</ArchiveTimeStampSequence></EvidenceRecord>"
    )


def asn1(octets: bytes) -> str:
    return f"<e:ASN1EvidenceRecord>{coded(octets)}</e:ASN1EvidenceRecord>"


class Maker:
    """Makes records in XML over one file, as an archive would."""

    def __init__(self, pki: Pki, *before: str) -> None:
        self.pki = pki
        self.signed = advanced(pki)
        self.before = before
        self.objects = group(self.with_record(""))

    def with_record(self, *several: str) -> bytes:
        return with_unsigned(self.signed, *self.before, PLACE.format("".join(several)))

    def token(self, digest: str, top: bytes, at: datetime = NOW) -> bytes:
        # Nothing signs certificates beside the authority's own: a change there is no matter.
        files = self.pki.signer("gost256-tsa")
        authority = TimestampAuthority(
            key=files.private_key(), chain=files.chain()[:1], algorithms=ALGORITHMS
        )
        return authority.token(digest, top, at)

    def first(self, objects: Sequence[bytes] | None = None, at: datetime = NOW) -> str:
        """Return a first stamp, the group's digest among others in its tree."""
        own = digest_of("sha256", objects or self.objects)
        other = ALGORITHMS.digest("sha256", b"other")
        top = ALGORITHMS.digest("sha256", b"".join(sorted((own, other))))
        return ats(1, self.token("sha256", top, at), tree([own], [other]))

    def written(self, record: str, find: Callable[[etree._Element], etree._Element]) -> bytes:
        """Return the canonical form of a part of a record where it stands."""
        return c14n.canonical(find(parse(self.with_record(record))), c14n.EXCLUSIVE)

    def renewed(self, first: str, at: datetime = NOW + DAY, over: bytes | None = None) -> str:
        """Return a second stamp of the chain, over the element of the first, without a tree."""
        octets = over or self.written(
            sequence(chain(1, "sha256", first)), lambda root: next(root.iter(f"{{{ERS}}}TimeStamp"))
        )
        return ats(2, self.token("sha256", ALGORITHMS.digest("sha256", octets), at))

    def another(
        self,
        *chains: str,
        objects: Sequence[bytes] | None = None,
        alone: bool = False,
        bare: bool = False,
    ) -> str:
        """Return a chain of another digest, over the objects and the chains before it."""
        before = self.written(
            sequence(*chains), lambda root: next(root.iter(f"{{{ERS}}}ArchiveTimeStampSequence"))
        )
        hashes = [ALGORITHMS.digest("sha512", before)]
        hashes += [] if alone else [digest_of("sha512", objects or self.objects)]
        top = ALGORITHMS.digest("sha512", b"".join(sorted(hashes)))
        at = NOW + 2 * DAY
        token = self.token("sha512", top, at)
        return chain(len(chains) + 1, "sha512", ats(1, token, "" if bare else tree(hashes)))


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
