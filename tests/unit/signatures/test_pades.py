"""Signatures in PDF: what they cover, and what may be added after them."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from asn1crypto import cms, pem
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.signers.cms_embedder import SigMDPSetup
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp

from gateway.algorithms.asn1 import scheme_for
from gateway.model import CheckStatus, Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import pades
from gateway.signatures.sign import sign
from tests.pki.build import ALGORITHMS, NOW
from tests.unit.signatures.cms_made import authority
from tests.unit.signatures.made import FAMILIES, document, passes_whole, verifier
from tests.unit.signatures.pdf_made import (
    CATALOGUE,
    CONTENT,
    FORGED,
    PAGE,
    REPORT,
    appended,
    built,
    byte_range,
    certified,
    checked,
    cms_of,
    compressed,
    embedded,
    last_startxref,
    objects,
    pdf_signed,
    stamped,
    stream,
    updated,
    with_store,
)

PASSED, FAILED = Indication.TOTAL_PASSED, Indication.TOTAL_FAILED
UNDECIDED = Indication.INDETERMINATE


def detail_of(found: Any, name: str) -> str:
    """Return what a check of this name says where it did not pass."""
    return next(
        one.detail
        for one in found.checks
        if one.name == name and one.status is not CheckStatus.PASSED
    )


def material(pki: Pki, family: str = "gost256") -> tuple[list[bytes], list[bytes]]:
    """Return certificates and a revocation list, as a store brings them."""
    chain = pki.signer(f"{family}-doctor").chain()
    lists = [pem.unarmor(one.read_bytes())[2] for one in pki.trust.glob(f"{family}-*.crl.pem")]
    assert lists
    return list(chain), lists


@pytest.mark.parametrize("family", FAMILIES)
def test_a_signature_covers_the_whole_file_but_itself(pki: Pki, family: str) -> None:
    file = pdf_signed(pki, f"{family}-doctor")
    (one,) = checked(file)
    assert one.indication is PASSED, one.checks
    assert (one.format, one.level, one.place) == ("PAdES", "B", "document/signature[0]")
    (covered,) = one.covered
    _, length, second, rest = byte_range(file)
    assert second + rest == len(file)
    assert covered.octets == file[:length] + file[second:]
    assert (covered.scope, covered.covers_enclosing) == ("FULL", True)
    assert covered.reference == f"[0 {length} {second} {rest}]"
    assert file.startswith(REPORT)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_octet_changed_breaks_it(pki: Pki, family: str) -> None:
    file = pdf_signed(pki, f"{family}-doctor").replace(b"141 g/L", b"041 g/L")
    (one,) = checked(file)
    assert (one.indication, one.sub_indication) == (FAILED, "HASH_FAILURE")
    assert one.covered == ()


def test_the_verdict_joins_the_certificate(pki: Pki) -> None:
    report = verifier(pki).verify(document(pdf_signed(pki)), (), NOW)
    assert report.indication is PASSED
    assert passes_whole(report)
    stranger = verifier(pki).verify(document(pdf_signed(pki, "stranger")), (), NOW)
    assert stranger.indication is UNDECIDED


def test_the_time_of_signing_is_the_dictionarys(pki: Pki) -> None:
    """EN 319 142-1, 6.3: M is there, the attribute is not."""
    (one,) = checked(pdf_signed(pki))
    assert one.claimed_at == NOW
    assert "signing_time" not in _attributes(pdf_signed(pki))


def _attributes(file: bytes) -> list[str]:
    _, length, second, _ = byte_range(file)
    octets = bytes.fromhex(file[length + 1 : second - 1].decode())
    info = cms.ContentInfo.load(octets)["content"]["signer_infos"][0]
    return [str(one["type"].native) for one in info["signed_attrs"]]


@pytest.mark.parametrize("octets", [REPORT, b"%PDF-1.7\nnoise", b"%PDF-", b"noise %PDF- %%EOF"])
def test_a_file_that_nobody_signed_has_no_signatures(octets: bytes) -> None:
    assert checked(octets) == ()


def test_a_second_signature_is_no_change(pki: Pki) -> None:
    """The organisation signs after the doctor: both hold, the later covers everything."""
    file = pdf_signed(pki, "gost256-organisation", pdf_signed(pki))
    first, second = checked(file)
    assert (first.indication, second.indication) == (PASSED, PASSED), first.checks
    assert (first.covered[0].scope, first.covered[0].covers_enclosing) == ("PARTIAL", False)
    assert (second.covered[0].scope, second.covered[0].covers_enclosing) == ("FULL", True)
    assert first.covered[0].octets != second.covered[0].octets


def test_a_signature_time_stamp_makes_level_t(pki: Pki) -> None:
    signer = pki.signer("gost256-doctor")

    def stamp(value: bytes) -> bytes:
        return authority(pki).stamp("streebog256", value, NOW)

    file = sign(
        REPORT,
        key=signer.private_key(),
        chain=signer.chain(),
        algorithms=ALGORITHMS,
        form="pades",
        detached=True,
        at=NOW,
        stamp=stamp,
    )
    (one,) = checked(file)
    assert (one.indication, one.level) == (PASSED, "T"), one.checks
    assert [stamp.kind for stamp in one.timestamps] == ["signature"]


def test_material_and_a_document_time_stamp_make_level_lta(pki: Pki) -> None:
    certificates, crls = material(pki)
    with_material = with_store(pdf_signed(pki), certificates, crls)
    (one,) = checked(with_material)
    assert (one.indication, one.level) == (PASSED, "B"), one.checks
    assert ("crl", crls[0]) in one.revocations
    file = stamped(pki, with_material)
    (again,) = checked(stamped(pki, file, field="Again"))
    first, second = again.timestamps
    assert (first.covers, second.covers) == (set(), {first.sha256})
    (one,) = checked(file)
    assert (one.indication, one.level) == (PASSED, "LTA"), one.checks
    assert [(stamp.kind, stamp.indication) for stamp in one.timestamps] == [("archive", PASSED)]
    assert one.covered[0].scope == "PARTIAL"
    (finding,) = verifier(pki).verify(document(file), (), NOW).signatures
    assert (finding.indication, finding.level, finding.times.best) == (PASSED, "LTA", NOW)


def test_a_document_time_stamp_without_material_proves_the_time_alone(pki: Pki) -> None:
    (one,) = checked(stamped(pki, pdf_signed(pki)))
    assert (one.indication, one.level) == (PASSED, "T"), one.checks
    assert [stamp.kind for stamp in one.timestamps] == ["signature"]


def test_a_document_time_stamp_before_the_signature_is_of_its_content(pki: Pki) -> None:
    (one,) = checked(pdf_signed(pki, file=stamped(pki, REPORT)))
    assert (one.indication, one.level) == (PASSED, "B"), one.checks
    assert [stamp.kind for stamp in one.timestamps] == ["content"]


def test_a_false_document_time_stamp_keeps_the_signature_from_passing(pki: Pki) -> None:
    """Case G1: a token of another file's."""

    def other(octets: bytes) -> bytes:
        return authority(pki).stamp("sha256", octets + b"!", NOW)

    dictionary = DocumentTimestamp(bytes_reserved=2 * 24 * 1024)
    file = embedded(pdf_signed(pki), other, dictionary=dictionary)
    (finding,) = verifier(pki).verify(document(file), (), NOW).signatures
    assert finding.timestamps[0].sub_indication == "HASH_FAILURE"
    assert finding.indication is UNDECIDED


def test_a_stamped_file_that_nobody_signed_is_undecided(pki: Pki) -> None:
    file = stamped(pki, REPORT)
    (one,) = checked(file)
    assert (one.indication, len(one.timestamps)) == (UNDECIDED, 1)
    assert "nobody signed" in detail_of(one, "format")
    assert verifier(pki).verify(document(file), (), NOW).indication is UNDECIDED


def test_a_plain_cms_signature_is_no_pades(pki: Pki) -> None:
    """Without the certificate's digest under the signature nothing binds the signer."""

    def bare(octets: bytes) -> bytes:
        info = cms.ContentInfo.load(cms_of(pki)(octets))
        signer = info["content"]["signer_infos"][0]
        kept = [a for a in signer["signed_attrs"] if a["type"].native != "signing_certificate_v2"]
        signer["signed_attrs"] = cms.CMSAttributes(kept)
        certificate = info["content"]["certificates"][0].chosen
        scheme = scheme_for(certificate.public_key, "sha256")
        key = pki.signer("rsa-doctor").private_key()
        signed_octets = cms.CMSAttributes(kept).dump(force=True)
        signer["signature"] = ALGORITHMS.sign(key, scheme, signed_octets)
        return bytes(info.dump(force=True))

    def plain(dictionary: Any) -> None:
        dictionary["/SubFilter"] = pdf_name("/adbe.pkcs7.detached")

    (one,) = checked(embedded(REPORT, bare, change=plain))
    assert (one.format, one.level) == ("PDF", "")
    assert (one.indication, one.sub_indication) == (UNDECIDED, "SIG_CONSTRAINTS_FAILURE")
    (good,) = checked(embedded(REPORT, cms_of(pki), change=plain))
    assert (good.format, good.indication) == ("PAdES", PASSED)


def of_form(name: str) -> Callable[[Any], None]:
    def change(dictionary: Any) -> None:
        dictionary["/SubFilter"] = pdf_name(name)

    return change


def over_sha1(pki: Pki) -> Callable[[bytes], bytes]:
    """Return what makes CMS over the SHA-1 of octets, as the first PDF readers signed."""
    make = cms_of(pki, detached=False)
    return lambda octets: make(hashlib.sha1(octets, usedforsecurity=False).digest())


def test_a_form_without_cms_is_undecided_by_name(pki: Pki) -> None:
    (one,) = checked(embedded(REPORT, cms_of(pki), change=of_form("/adbe.x509.rsa_sha1")))
    assert (one.indication, one.sub_indication) == (UNDECIDED, "CRYPTO_CONSTRAINTS_FAILURE")
    assert "adbe.x509.rsa_sha1" in detail_of(one, "format")


def test_cms_over_the_sha_1_of_a_file_is_computed_and_carries_nothing_today(pki: Pki) -> None:
    """adbe.pkcs7.sha1: whole and unchanged, and the digest binds no octets any more."""
    file = embedded(REPORT, over_sha1(pki), change=of_form("/adbe.pkcs7.sha1"))
    (one,) = checked(file)
    assert (one.indication, one.sub_indication) == (UNDECIDED, "CRYPTO_CONSTRAINTS_FAILURE")
    assert detail_of(one, "crypto_policy") == "digest sha1 carried until 2012-08-01"
    assert [(c.scope, len(c.octets) < len(file)) for c in one.covered] == [("FULL", True)]
    old = pades.check(document(file), (), ALGORITHMS.at(datetime(2011, 1, 1, tzinfo=UTC)))
    assert [one.indication for one in old] == [PASSED]


def test_cms_over_the_sha_1_of_another_file_fails_and_covers_nothing(pki: Pki) -> None:
    file = embedded(REPORT, over_sha1(pki), change=of_form("/adbe.pkcs7.sha1"))
    (one,) = checked(file.replace(b"141 g", b"142 g"))
    assert (one.indication, one.sub_indication) == (FAILED, "HASH_FAILURE")
    assert one.covered == ()


@pytest.mark.parametrize(
    ("form", "detached"), [("/adbe.pkcs7.sha1", True), ("/adbe.pkcs7.detached", False)]
)
def test_cms_of_the_other_form_is_refused(pki: Pki, form: str, detached: bool) -> None:
    (one,) = checked(embedded(REPORT, cms_of(pki, detached=detached), change=of_form(form)))
    assert (one.indication, one.sub_indication) == (FAILED, "FORMAT_FAILURE")
    assert one.covered == ()


def test_an_unknown_form_is_undecided_and_not_quoted(pki: Pki) -> None:
    def own(dictionary: Any) -> None:
        dictionary["/SubFilter"] = pdf_name("/Ivanov.Ivan")

    (one,) = checked(embedded(REPORT, cms_of(pki), change=own))
    assert one.indication is UNDECIDED
    assert "Ivanov" not in detail_of(one, "format")


def test_objects_in_streams_are_read(pki: Pki) -> None:
    """Most files of today are written so (PDF 1.5)."""
    parts = {number: body for number, body in objects().items() if number != CONTENT}
    parts[PAGE] = parts[PAGE].replace(b"/Contents 4 0 R ", b"")
    parts[CONTENT] = b"<< /Unused true >>"
    file = pdf_signed(pki, "ecdsa-doctor", pdf_signed(pki, file=compressed(parts)))
    first, second = checked(file)
    assert (first.indication, second.indication) == (PASSED, PASSED), first.checks
    changed = pdf_signed(pki, "ecdsa-doctor", with_another_font(file))
    assert [one.indication for one in checked(changed)] == [FAILED, FAILED, PASSED]


def with_another_font(file: bytes) -> bytes:
    def change(writer: IncrementalPdfFileWriter) -> None:
        font = writer.root["/Pages"]["/Kids"][0]["/Resources"]["/Font"]["/F1"]
        font[pdf_name("/BaseFont")] = pdf_name("/ZapfDingbats")
        writer.update_container(font)

    return updated(file, change)


def test_nobody_is_asked_over_the_network(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyHanko can fetch lists and certificates; here it only reads."""

    def refuse(*arguments: object) -> None:
        raise AssertionError(arguments)

    file = stamped(pki, with_store(pdf_signed(pki, "rsa-doctor"), *material(pki, "rsa")))
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert checked(file)[0].indication is PASSED


# --- what cannot be read is said by name -----------------------------------------------


def test_an_encrypted_file_is_undecided_by_name(pki: Pki) -> None:
    more = {90: b"<< /Filter /Standard >>"}
    (one,) = checked(appended(pdf_signed(pki), more, more=b"/Encrypt 90 0 R "))
    assert (one.indication, detail_of(one, "format")) == (UNDECIDED, "encrypted")
    with pytest.raises(ValueError, match="encrypted"):
        pdf_signed(pki, file=appended(REPORT, more, more=b"/Encrypt 90 0 R "))


def test_a_hybrid_file_is_undecided_by_name(pki: Pki) -> None:
    table = bytes([1, 0, 0, 0])
    entries = b"/Type /XRef /Size 8 /W [1 2 1] /Index [7 1] "
    file = pdf_signed(pki)
    place = len(file)
    hybrid = file + b"20 0 obj\n" + stream(table, entries) + b"\nendobj\n"
    found = checked(
        appended(
            hybrid, {21: b"<< >>"}, more=b"/XRefStm %d " % place, previous=last_startxref(file)
        )
    )
    assert [one.indication for one in found] == [UNDECIDED]
    assert "hybrid" in detail_of(found[0], "format")


@pytest.mark.parametrize(
    "breaking",
    [
        lambda file: file.replace(b"startxref", b"startxrxf"),
        lambda file: file[:-200],
        lambda file: b"junk\n" + file,
        lambda file: file.replace(b"/Root", b"/Rxxt"),
    ],
    ids=["no startxref", "cut short", "junk before", "no root"],
)
def test_a_broken_file_is_undecided_and_never_passes(
    pki: Pki, breaking: Callable[[bytes], bytes]
) -> None:
    found = checked(breaking(pdf_signed(pki)))
    assert [one.indication for one in found] == [UNDECIDED]


def test_what_is_no_pdf_is_not_signed(pki: Pki) -> None:
    with pytest.raises(ValueError, match="Not signed"):
        pdf_signed(pki, file=b"%PDF-1.7\nnoise")


# --- what the signer allowed afterwards ------------------------------------------------


def test_material_may_be_added_to_what_must_not_change(pki: Pki) -> None:
    """DocMDP 1 forbids changes; validation material and time stamps are none."""
    file = stamped(pki, with_store(certified(pki, MDPPerm.NO_CHANGES), *material(pki, "rsa")))
    (one,) = checked(file)
    assert (one.indication, one.level) == (PASSED, "LTA"), one.checks


def test_a_second_signature_is_a_change_where_none_is_allowed(pki: Pki) -> None:
    for permission, verdict in ((MDPPerm.NO_CHANGES, FAILED), (MDPPerm.FILL_FORMS, PASSED)):
        first, second = checked(pdf_signed(pki, file=certified(pki, permission)))
        assert (first.indication, second.indication) == (verdict, PASSED), first.checks


def with_form(pki: Pki) -> bytes:
    """Return a file with a text field, certified so that forms may be filled in."""
    parts = objects()
    parts[CATALOGUE] = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] >> >>"
    parts[6] = (
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (Comment) /V (none) /P 3 0 R"
        b" /Rect [72 600 300 620] /F 4 >>"
    )
    parts[PAGE] = parts[PAGE].replace(b" >> >> >>", b" >> >> /Annots [6 0 R] >>")
    return certified(pki, MDPPerm.FILL_FORMS, built(parts))


def test_a_field_filled_in_is_named_and_signed_by_nobody(pki: Pki) -> None:
    file = with_form(pki)
    (before,) = checked(file)
    assert before.indication is PASSED, before.checks

    def fill(writer: IncrementalPdfFileWriter) -> None:
        field = writer.root["/AcroForm"]["/Fields"][0].get_object()
        field[pdf_name("/V")] = generic.pdf_string("Haemoglobin 41")
        writer.update_container(field)

    (one,) = checked(updated(file, fill))
    assert (one.indication, one.sub_indication) == (UNDECIDED, "SIG_CONSTRAINTS_FAILURE")
    assert "form fields" in detail_of(one, "later_revisions")


def test_a_locked_field_filled_in_is_a_change(pki: Pki) -> None:
    mdp = SigMDPSetup(
        md_algorithm="sha256",
        field_lock=fields.FieldMDPSpec(fields.FieldMDPAction.INCLUDE, ["Comment"]),
    )
    file = embedded(with_form(pki), cms_of(pki), mdp=mdp, name="Locking")

    def fill(writer: IncrementalPdfFileWriter) -> None:
        field = writer.root["/AcroForm"]["/Fields"][0].get_object()
        field[pdf_name("/V")] = generic.pdf_string("Haemoglobin 41")
        writer.update_container(field)

    _, locking = checked(updated(file, fill))
    assert (locking.indication, locking.sub_indication) == (FAILED, "HASH_FAILURE")


@pytest.mark.parametrize(("key", "verdict"), [("/Title", UNDECIDED), ("/ModDate", PASSED)])
def test_a_title_written_after_signing_is_named(pki: Pki, key: str, verdict: Indication) -> None:
    """Readers show it above the pages; who adds a time stamp dates the file anew."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        text = generic.pdf_string("D:20261121120000Z")
        properties = generic.DictionaryObject({pdf_name(key): text})
        writer.set_info(writer.add_object(properties))

    (one,) = checked(updated(pdf_signed(pki), change))
    assert one.indication is verdict, one.checks


def test_a_changed_page_is_named(pki: Pki) -> None:
    (one,) = checked(appended(pdf_signed(pki), {CONTENT: stream(FORGED)}))
    assert (one.indication, one.sub_indication) == (FAILED, "HASH_FAILURE")
    assert "page content" in detail_of(one, "later_revisions")
