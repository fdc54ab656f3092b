"""Attacks on time: a small file must not make much work, and refusing it must be quick."""

from __future__ import annotations

import re
import time

import pytest
from asn1crypto import cms, crl

from gateway.model import Indication
from gateway.sandbox.pki import Pki
from gateway.signatures import ber, xml
from gateway.signatures.cms_attributes import SIGNATURE_TIME_STAMP
from gateway.verification import Verifier
from tests.pki.build import NOW, issue, list_of, root
from tests.unit.signatures.cms_made import (
    adding,
    attribute,
    in_chunks,
    opened,
    stamp,
    tlv,
    value_of,
)
from tests.unit.signatures.made import BUNDLE, beside, document, signed, verifier

SECONDS = 20


@pytest.fixture(scope="module")
def judge(pki: Pki) -> Verifier:
    return verifier(pki)


def test_references_times_nodes_are_bounded_for_the_file(pki: Pki, judge: Verifier) -> None:
    """16 signatures with 32 references each over 2 MB of tags were 20 minutes of work."""
    nodes = 200_000
    wide = b'<r xmlns="urn:x">' + b"<a></a>" * nodes + b"</r>"
    small = signed(pki, form="xmldsig", detached=False, octets=b'<r xmlns="urn:x"/>')
    reference = re.search(rb"<ds:Reference .*?</ds:Reference>", small, re.DOTALL)
    signature = re.search(rb"<ds:Signature .*</ds:Signature>", small, re.DOTALL)
    assert reference is not None
    assert signature is not None
    many = signature[0].replace(reference[0], reference[0] * 32)
    file = wide.replace(b"</r>", many * xml.SIGNATURES_MAX + b"</r>")
    started = time.monotonic()
    report = judge.verify(document(file, "application/xml"), (), NOW)
    assert time.monotonic() - started < SECONDS
    # What the allowance reached is judged; nothing of the rest is begun.
    assert report.signatures[-1].sub_indication == "SIG_CONSTRAINTS_FAILURE"
    passed = Indication.TOTAL_PASSED
    assert not any(passed in (f.indication, report.indication) for f in report.signatures)


def test_a_large_document_with_a_signature_or_two_still_passes(pki: Pki, judge: Verifier) -> None:
    wide = b'<r xmlns="urn:x">' + b"<a></a>" * 100_000 + b"</r>"
    file = signed(pki, "rsa-doctor", "xades", detached=False, octets=wide)
    report = judge.verify(document(file, "application/xml"), (), NOW)
    assert report.indication is Indication.TOTAL_PASSED


def test_many_signers_of_a_big_document_cost_one_digest(pki: Pki, judge: Verifier) -> None:
    """16 files with 16 signers each over 12 MB made us digest 3 GB."""
    big = document(b'{"resourceType":"Bundle","x":"' + b"a" * 12_000_000 + b'"}')
    file = cms.ContentInfo.load(signed(pki, octets=big.body))
    signers = file["content"]["signer_infos"]
    file["content"]["signer_infos"] = cms.SignerInfos([signers[0]] * 16)
    started = time.monotonic()
    report = judge.verify(big, beside(*[file.dump(force=True)] * 16), NOW)
    assert time.monotonic() - started < SECONDS
    assert report.indication is not Indication.TOTAL_PASSED, "256 signatures are beyond the limit"


def test_content_in_chunks_is_joined_at_once(judge: Verifier, pki: Pki) -> None:
    """20 MB in chunks of a kilobyte were copied once for every chunk, which took a minute."""
    body = b'{"resourceType":"Bundle","x":"' + b"a" * 20_000_000 + b'"}'
    file = in_chunks(signed(pki, "rsa-doctor", detached=False, octets=body), 1_000, indefinite=True)
    started = time.monotonic()
    report = judge.verify(document(file), (), NOW)
    assert time.monotonic() - started < SECONDS
    assert report.indication is Indication.TOTAL_PASSED


def test_a_digest_of_one_document_never_serves_another(pki: Pki, judge: Verifier) -> None:
    """Contents of their own, beside a document or inside files, are digested each."""
    other = BUNDLE.replace(b"5.00", b"9.99")
    both = beside(signed(pki), signed(pki, detached=False, octets=other), signed(pki, octets=other))
    report = judge.verify(document(BUNDLE), both, NOW)
    found = [(f.indication, f.sub_indication) for f in report.signatures]
    passed, failed = Indication.TOTAL_PASSED, Indication.TOTAL_FAILED
    assert found == [(passed, None), (passed, None), (failed, "HASH_FAILURE")]
    assert [c.octets for c in report.signatures[1].covered] == [other]


def test_a_list_is_weighed_once_for_all_signers_and_time_stamps(pki: Pki, judge: Verifier) -> None:
    """A list of a megabyte took twenty seconds: 64 time stamps and 16 signers each read it anew."""
    file = opened(signed(pki))
    file["content"]["crls"] = [_long_list(8_000)]
    plain = bytes(file.dump(force=True))
    octets = stamp(pki, value_of(plain))
    stamps = [_with_a_certificate_more(pki, octets, number) for number in range(4)]
    file = opened(adding(plain, *(attribute(SIGNATURE_TIME_STAMP, one) for one in stamps)))
    file["content"]["signer_infos"] = cms.SignerInfos([file["content"]["signer_infos"][0]] * 16)
    took = []
    for one in (plain, bytes(file.dump(force=True))):
        judge = verifier(pki)
        started = time.process_time()
        report = judge.verify(document(BUNDLE), beside(one), NOW)
        took.append(time.process_time() - started)
        assert report.indication is Indication.TOTAL_PASSED
    assert took[1] < took[0] * 8


def _long_list(entries: int) -> crl.CertificateList:
    """Return a stranger's list of many."""
    authority = root("Stranger")
    certificates = list_of(authority, issue(authority).certificate)["tbs_cert_list"]
    kept = ber.elements(certificates["revoked_certificates"].contents)[0] * entries
    fields = ber.elements(ber.contents(certificates.dump()))
    position = fields.index(certificates["revoked_certificates"].dump())
    fields[position] = tlv(0x30, kept)
    _, *rest = ber.elements(ber.contents(list_of(authority).dump()))
    return crl.CertificateList.load(tlv(0x30, tlv(0x30, b"".join(fields)) + b"".join(rest)))


def _with_a_certificate_more(pki: Pki, token: bytes, number: int) -> bytes:
    """Return a time stamp with a certificate that helps nobody, another for each number."""
    file = opened(token)
    useless = bytearray(pki.signer("gost256-doctor").chain()[0])
    useless[-1] ^= number
    file["content"]["certificates"].append(cms.Certificate.load(bytes(useless)))
    return bytes(file.dump(force=True))
