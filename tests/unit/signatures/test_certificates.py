"""Certificates in signature files: names that are equal, and memory that is not shared."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from asn1crypto import x509

from gateway.sandbox.pki import Pki
from gateway.signatures import certificates


def test_a_name_written_in_two_string_types_is_one_name() -> None:
    """Authorities write PrintableString in one place and UTF8String in another."""
    one = x509.Name.build({"common_name": "Test CA"}, use_printable=False)
    other = x509.Name.build({"common_name": "Test CA"}, use_printable=True)
    assert one.dump() != other.dump()
    assert certificates.same_name(one, other)
    assert certificates.same_name(one, x509.Name.load(one.dump()))


def test_a_name_one_letter_off_is_another_name() -> None:
    """Else a certificate of another authority could stand for the signer's."""
    one, other = (x509.Name.build({"common_name": text}) for text in ("Test CA", "Test CB"))
    assert not certificates.same_name(one, other)


def test_a_certificate_stays_read_within_a_thread_and_is_shared_with_none(pki: Pki) -> None:
    """Two threads in one late-parsed object would see half of it: a good signature failed."""
    octets = pki.signer("gost256-doctor").chain()[0]
    mine = certificates.read(octets)
    with ThreadPoolExecutor(1) as other:
        theirs = other.submit(certificates.read, octets).result()
    assert mine is not None
    assert mine is certificates.read(octets)
    assert theirs is not None
    assert theirs is not mine


def test_a_certificate_with_a_changed_byte_is_read_anew(pki: Pki) -> None:
    """What was read before answers for the same octets only."""
    octets = pki.signer("gost256-doctor").chain()[0]
    kept = certificates.read(octets)
    changed = certificates.read(octets[:-1] + bytes((octets[-1] ^ 1,)))
    assert kept is not None
    assert changed is not None
    assert changed.dump() != kept.dump()
    assert certificates.read(octets[:-1]) is None
