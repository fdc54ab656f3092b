"""Certificates, lists and answers are DER and nothing more; asn1crypto is not so strict.

It takes BER and writes it anew, and that is what a signature is then checked over; and it
passes over what follows the signature.  One certificate could be written in many ways, each
with a digest of its own, and what is written late may fail late.

Source: RFC 5280, sections 4.1 and 5.1; RFC 6960, section 4; ITU-T X.690, clause 10.
"""

from __future__ import annotations

from typing import TypeVar

from asn1crypto import core, crl, parser, x509

_Kind = TypeVar("_Kind", bound=core.Sequence)

_BODIES = {x509.Certificate: "tbs_certificate", crl.CertificateList: "tbs_cert_list"}
_INDEFINITE = 0x80
SIGNATURE = 2
"""Place of the signature's value in a certificate, a list and a basic OCSP answer."""

_CHUNKED = (0x23, 0x24)
"""BIT STRING and OCTET STRING in pieces."""


def read_der(kind: type[_Kind], octets: bytes) -> _Kind:
    """Return what `octets` are: `kind`, its fields in DER, and nothing beside them.

    Raises ValueError, and whatever else asn1crypto raises, for others.
    """
    found: _Kind = kind.load(definite(octets), strict=True)
    if _has_more(found.contents, len(kind._fields)):
        raise ValueError("more than its fields")
    if kind in _BODIES:
        stated = found["signature_algorithm"]
        # RFC 5280, sections 4.1.1.2 and 5.1.1.2: the one that is not signed is the same.
        if stated.dump() != found[_BODIES[kind]]["signature"].dump():
            raise ValueError("two signature algorithms")
        _ = stated["algorithm"].native
        only_octets(found[SIGNATURE])
    found._gateway_octets = octets
    return found


def octets_of(found: core.Sequence) -> bytes:
    """Return what `read_der` read `found` from.

    `dump` may write it anew: asn1crypto takes a length that ends in 80 for an indefinite one.
    """
    octets: bytes = found._gateway_octets
    return octets


def only_octets(bits: core.BitString) -> None:
    """Raise ValueError for a signature's value whose last octet counts in part.

    Every algorithm signs in octets.  Where the last bits happen to be zero, they could be called
    unused, and the same certificate would be written in another way.
    """
    if bits.contents[:1] != b"\0":
        raise ValueError("a signature of bits, not octets")


def _has_more(contents: bytes, count: int) -> bool:
    """Return whether more than `count` elements stand one after another; looks no further."""
    position = 0
    for _ in range(count):
        if position >= len(contents):
            return False
        _, _, _, header, inner, _ = parser.parse(contents[position:])
        position += len(header) + len(inner)
    return position < len(contents)


def definite(octets: bytes) -> bytes:
    """Return `octets`, in which every length is definite and every string in one piece.

    Raises ValueError for others.  No more is looked at: what else is wrong, the parser tells.
    """
    position = 0
    try:
        while position < len(octets):
            identifier = octets[position]
            position += 1
            if identifier & 0x1F == 0x1F:
                while octets[position] & 0x80:
                    position += 1
                position += 1
            length = octets[position]
            position += 1
            if length == _INDEFINITE or identifier in _CHUNKED:
                raise ValueError("BER where DER is demanded")
            if length > _INDEFINITE:
                end = position + (length & 0x7F)
                length, position = int.from_bytes(octets[position:end], "big"), end
            if not identifier & 0x20:
                position += length
    except IndexError as error:
        raise ValueError("cut short") from error
    return octets
