"""What was signed is octets: reading a structure and writing it again changes none."""

from __future__ import annotations

import pytest
from asn1crypto import cms, core, x509

from gateway.algorithms import asn1_octets  # noqa: F401

NOT_CRITICAL = b"\x06\x03\x55\x1d\x0e\x01\x01\x00"
"""subjectKeyIdentifier and the DEFAULT spelt out, which DER does not do."""


@pytest.mark.parametrize("size", range(0x7C, 0x84))
def test_a_default_that_is_spelt_out_stays_whatever_the_length(size: int) -> None:
    value = bytes(size - len(NOT_CRITICAL) - 2)
    contents = NOT_CRITICAL + b"\x04" + bytes([len(value)]) + value
    extension = b"\x30" + (b"\x81" if size >= 0x80 else b"") + bytes([size]) + contents
    read = x509.Extension.load(extension, strict=True)
    assert read["critical"].native is False
    assert read.dump() == extension


def test_a_set_out_of_order_stays_whatever_the_length() -> None:
    first, second = b"\x04\x3f" + b"\2" * 63, b"\x04\x3d" + b"\1" * 61
    written = b"\x31\x81\x80" + first + second
    read = cms.SetOfOctetString.load(written, strict=True)
    assert len(read) == 2
    assert read.dump() == written


def test_what_was_changed_is_written_anew() -> None:
    read = cms.SetOfOctetString.load(b"\x31\x81\x80" + b"\x04\x7e" + bytes(0x7E))
    read.append(b"more")
    again = cms.SetOfOctetString.load(read.dump(), strict=True)
    assert sorted(again.native) == [bytes(0x7E), b"more"]


@pytest.mark.parametrize(
    ("kind", "tag", "chunks", "joined"),
    [
        (core.OctetString, 0x04, [b"one", b"", b"two"], b"onetwo"),
        (core.UTF8String, 0x0C, [b"one", b"two"], "onetwo"),
        (core.BitString, 0x03, [b"\x00\xff", b"\x04\xf0"], (1,) * 12),
        (core.OctetString, 0x04, [], b""),
    ],
)
def test_a_string_in_chunks_is_what_they_make_together(
    kind: type[core.Constructable], tag: int, chunks: list[bytes], joined: object
) -> None:
    written = b"".join(bytes([tag, len(one)]) + one for one in chunks)
    assert kind.load(bytes([tag | 0x20, 0x80]) + written + b"\0\0", strict=True).native == joined


def test_an_indefinite_length_still_becomes_definite() -> None:
    read = core.SequenceOf.load(b"\x30\x80\x05\x00\x00\x00", spec=core.Null)
    assert [one.native for one in read] == [None]
    assert read.dump() == b"\x30\x02\x05\x00"
