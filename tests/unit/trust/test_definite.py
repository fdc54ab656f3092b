"""Certificates, lists and answers count as they were signed: in DER, in no other spelling."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from asn1crypto import core

from gateway.sandbox import certificates as made
from gateway.trust import Trust
from gateway.trust.definite import definite
from gateway.trust.material import read_answer
from tests.fuzz.der_trees import Element, read
from tests.pki.build import ALGORITHMS, CURRENT, NOW, below, issue, list_of, root

ROOT = root("Root", "ecdsa")
CA = below(ROOT)
SIGNER = issue(CA)
RESPONDER = issue(CA, "Responder", made.responder_extensions()).as_authority()
ANSWER = bytes(made.ocsp_response(SIGNER.certificate, CA, RESPONDER, CURRENT, ALGORITHMS).dump())
ROOT_LIST, CA_LIST = bytes(list_of(ROOT).dump()), bytes(list_of(CA).dump())
CA_CERTIFICATE = bytes(CA.certificate.dump())


def word(
    leaf: bytes = SIGNER.der,
    ca: bytes = CA_CERTIFICATE,
    revocations: tuple[tuple[str, bytes], ...] = (("crl", CA_LIST),),
) -> str | None:
    trust = Trust([ROOT.certificate.dump()], (), [ROOT_LIST], algorithms=ALGORITHMS)
    return trust.judge(leaf, [ca], NOW, revocations=revocations).sub_indication


def all_indefinite(element: Element) -> None:
    if element.children:
        element.indefinite = element.tag & 0x20 != 0
        for child in element.children:
            all_indefinite(child)


def first_indefinite(element: Element) -> None:
    element.children[0].indefinite = True


def in_pieces(element: Element) -> None:
    """Write the signature value, the last element, as a string in one piece of several."""
    value = element.children[-1]
    element.children[-1] = Element(tag=value.tag | 0x20, contents=value.written())


def with_more(element: Element) -> None:
    element.children.append(Element(tag=0x05))


def with_another_algorithm(element: Element) -> None:
    """Name the algorithm twice where it is not signed; the parameters of these are never read."""
    algorithm = element.children[-2]
    algorithm.children.append(algorithm.children[0])


def with_no_algorithm(element: Element) -> None:
    element.children[-2].children = [Element(tag=0x05)]


WAYS = (
    all_indefinite,
    first_indefinite,
    in_pieces,
    with_more,
    with_another_algorithm,
    with_no_algorithm,
)


def otherwise(octets: bytes, way: Callable[[Element], None]) -> bytes:
    root = read(octets)
    way(root)
    assert root.written() != octets
    return root.written()


def test_what_is_written_in_der_passes() -> None:
    assert word() is None
    assert word(revocations=(("ocsp", ANSWER),)) is None


@pytest.mark.parametrize("way", WAYS)
def test_a_certificate_in_another_spelling_is_not_that_certificate(
    way: Callable[[Element], None],
) -> None:
    """Found by fuzzing: it passed, under a digest that nobody revoked or pinned."""
    assert word(leaf=otherwise(SIGNER.der, way)) == "NO_SIGNING_CERTIFICATE_FOUND"
    assert word(ca=otherwise(CA_CERTIFICATE, way)) == "NO_CERTIFICATE_CHAIN_FOUND"
    with pytest.raises(ValueError):
        Trust([otherwise(CA_CERTIFICATE, way)], algorithms=ALGORITHMS)


@pytest.mark.parametrize("way", WAYS)
def test_a_list_or_an_answer_in_another_spelling_counts_for_nothing(
    way: Callable[[Element], None],
) -> None:
    assert word(revocations=(("crl", otherwise(CA_LIST, way)),)) == "TRY_LATER"
    assert word(revocations=(("ocsp", otherwise(ANSWER, all_indefinite)),)) == "TRY_LATER"


def even(make: Callable[[], bytes]) -> bytes:
    """Return one whose signature's value, which ends it, has a last bit of zero."""
    return next(one for one in (make() for _ in range(64)) if one[-1] % 2 == 0)


def with_a_bit_unused(element: Element) -> None:
    value = next(one for one in element.children if one.tag == core.BitString.tag)
    assert value.before == b"\0"
    value.before = b"\x01"


def test_a_signature_is_octets_and_not_bits() -> None:
    """Found by fuzzing: a last bit of zero said to be unused was another way to write the same."""
    listed = even(lambda: bytes(list_of(CA).dump()))
    assert word(revocations=(("crl", listed),)) is None
    assert word(revocations=(("crl", otherwise(listed, with_a_bit_unused)),)) == "TRY_LATER"
    leaf = even(lambda: issue(CA).der)
    assert word(leaf=leaf) is None
    assert word(leaf=otherwise(leaf, with_a_bit_unused)) == "NO_SIGNING_CERTIFICATE_FOUND"


def test_the_signature_of_an_answer_is_octets_too() -> None:
    found = read(ANSWER)
    basic = found.children[1].children[0].children[1].children[0]
    with_a_bit_unused(basic)
    with pytest.raises(ValueError, match="not an OCSP response"):
        read_answer(found.written())


def test_an_answer_that_breaks_off_where_it_is_read_late_counts_for_nothing() -> None:
    """Found by fuzzing: the serial number of the certificate it speaks of was an octet string."""
    found = read(ANSWER)
    basic = found.children[1].children[0].children[1].children[0]
    responses = next(one for one in basic.children[0].children if one.tag == 0x30)
    serial = responses.children[0].children[0].children[3]
    assert serial.tag == core.Integer.tag
    serial.tag = core.OctetString.tag
    assert word(revocations=(("ocsp", found.written()),)) == "TRY_LATER"


def padded() -> bytes:
    """Return the answer with a certificate more that is none, and a length that ends in 80."""
    for size in range(256):
        found = read(ANSWER)
        basic = found.children[1].children[0].children[1].children[0]
        basic.children[-1].children[0].children.append(Element(tag=0x30, contents=b"\x80\0" * size))
        written = found.written()
        if written[3] == 0x80:
            return written
    raise AssertionError


def test_an_answer_is_kept_as_it_came() -> None:
    """Found by fuzzing: asn1crypto takes such a length for an indefinite one, and writes anew
    what it cannot even read."""
    answer = padded()
    trust = Trust([ROOT.certificate.dump()], (), [ROOT_LIST], algorithms=ALGORITHMS)
    found = trust.judge(SIGNER.der, [CA_CERTIFICATE], NOW, revocations=[("ocsp", answer)])
    assert ("ocsp", answer) in found.evidence


def test_a_list_of_an_unknown_version_counts_for_nothing() -> None:
    """Found by fuzzing: one library reads it, and another does not and says so in its own way."""
    found = read(CA_LIST)
    version = found.children[0].children[0]
    assert (version.tag, version.contents) == (core.Integer.tag, b"\x01")
    version.contents = b"\x73"
    assert word(revocations=(("crl", found.written()),)) == "TRY_LATER"


@pytest.mark.parametrize("octets", [b"\x30", b"\x1f", b"\x1f\x81", b"\x30\x80\0\0"])
def test_what_breaks_off_is_not_definite(octets: bytes) -> None:
    with pytest.raises(ValueError):
        definite(octets)


def test_long_tags_and_long_lengths_are_stepped_over() -> None:
    octets = b"\x30\x81\x85\x1f\x81\x01\x01\x80\x04\x7e" + b"\x80" * 126
    assert definite(octets) == octets


def test_a_list_of_countless_elements_is_passed_over_at_once() -> None:
    """Only whether there is one too many is asked."""
    inside = b"\x05\x00" * 400_000
    countless = b"\x30\x83" + len(inside).to_bytes(3, "big") + inside
    started = time.process_time()
    assert word(revocations=(("crl", countless), ("crl", CA_LIST))) is None
    assert time.process_time() - started < 2.0
