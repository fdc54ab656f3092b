"""BER: what is taken, and the one DER that it means."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from gateway.signatures import ber

INTEGER = core.Integer(5).dump()

Written = tuple[bytes, bytes]
"""The same value in BER and in DER."""


def definite(tag: int, contents: bytes) -> bytes:
    return bytes([tag]) + ber.length(len(contents)) + contents


def indefinite(tag: int, contents: bytes) -> bytes:
    return bytes([tag, 0x80]) + contents + b"\0\0"


def _octets(value: bytes, cut: int) -> Written:
    chunks = definite(0x04, value[:cut]) + definite(0x04, value[cut:])
    return indefinite(0x24, chunks), definite(0x04, value)


def _sequence(tag: int, inner: list[Written]) -> Written:
    ders = [der for _, der in inner]
    if tag == 0x31:
        ders.sort()
    return indefinite(tag, b"".join(one for one, _ in inner)), definite(tag, b"".join(ders))


VALUES = st.recursive(
    st.one_of(
        st.builds(_octets, st.binary(max_size=40), st.integers(0, 40)),
        st.integers(-(1 << 40), 1 << 40).map(lambda n: (core.Integer(n).dump(),) * 2),
    ),
    lambda inner: st.builds(
        _sequence, st.sampled_from((0x30, 0x31, 0xA0)), st.lists(inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=VALUES)
def test_ber_means_one_der(value: Written) -> None:
    written, der = value
    assert ber.der(written) == der
    assert ber.walk(der)
    assert ber.der(der) == der


def test_chunks_of_a_bit_string_count_unused_bits_at_the_end() -> None:
    chunks = b"\x03\x02\x00\xaa" + b"\x03\x02\x04\xb0"
    assert ber.der(indefinite(0x23, chunks)) == b"\x03\x03\x04\xaa\xb0"
    assert ber.der(indefinite(0x23, b"")) == b"\x03\x01\x00"


def test_chunks_are_of_the_type_of_their_string() -> None:
    """An integer among them would be octets to one reader and nothing to another."""
    for written in (definite(0x24, INTEGER), indefinite(0x24, INTEGER)):
        with pytest.raises(ber.NotStrict):
            ber.der(written)


@pytest.mark.parametrize("form", [definite, indefinite])
def test_chunks_are_counted(form: Callable[[int, bytes], bytes]) -> None:
    """Readers parse every chunk: a file of nothing else would keep them busy."""
    chunk = b"\x04\x00"
    assert ber.der(form(0x24, chunk * ber.CHUNKS_MAX)) == chunk
    with pytest.raises(ber.NotStrict, match="chunks"):
        ber.walk(form(0x30, form(0x24, chunk * ber.CHUNKS_MAX) + form(0x24, chunk)))


def test_a_set_that_came_in_definite_lengths_is_left_alone() -> None:
    """What somebody signed unsorted was signed so (RFC 5652 leaves it to the encoder)."""
    unsorted = definite(0x31, core.Integer(9).dump() + INTEGER)
    assert ber.der(unsorted) == unsorted


def test_elements_and_contents_hand_out_octets_as_they_came() -> None:
    inner = indefinite(0x30, INTEGER) + INTEGER + definite(0x04, bytes(300))
    for whole in (definite(0x30, inner), indefinite(0x30, inner)):
        assert ber.contents(whole) == inner
        assert b"".join(ber.elements(ber.contents(whole))) == inner
        assert len(ber.elements(ber.contents(whole))) == 3


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30",
        b"\x30\x81\x01\x00",
        b"\x30\x85\x00\x00\x00\x00\x00",
        b"\x02\x00",
        b"\x02\x02\x00\x05",
        b"\x02\x02\xff\xff",
        b"\x01\x01\x01",
        b"\x03\x02\x08\x00",
        b"\x03\x02\x01\x01",
        b"\x05\x01\x00",
        b"\x10\x00",
        b"\x04\x80\x00\x00",
        b"\x1f\x01\x00",
        b"\x30\x80\x00",
        b"\x30\x80" * 40 + b"\0\0" * 40,
        INTEGER + b"\0",
    ],
)
def test_what_has_another_way_to_be_written_is_refused(octets: bytes) -> None:
    with pytest.raises(ber.NotStrict):
        ber.walk(octets)


@given(noise=st.binary(max_size=60))
def test_noise_is_refused_or_has_one_der(noise: bytes) -> None:
    try:
        ber.walk(noise)
    except ber.NotStrict:
        return
    assert ber.walk(ber.der(noise))


@pytest.mark.parametrize(("inside", "fits"), [(7, True), (8, False), (500_000, False)])
def test_what_has_too_many_elements_is_known_at_once(inside: int, fits: bool) -> None:
    body = b"\x05\x00" * inside
    nested = b"\x30\x83" + len(body).to_bytes(3, "big") + body
    octets = b"\x30\x83" + (len(nested) + 4).to_bytes(3, "big") + nested + b"\x05\x00" * 2
    started = time.process_time()
    assert ber.shaped(octets, 3, 7) is fits
    assert not ber.shaped(octets, 2, 7)
    assert time.process_time() - started < 0.2
