"""A CMS file as it stood before some of its unsigned attributes were added.

An evidence record inside a file is over the file without it: the attribute is taken out, the
lengths around it are put right, and nothing else is coded anew.  ETSI would have the rest in
DER instead, so that is the other reading.

Source: RFC 4998, appendix A (existing coding); ETSI TS 119 122-3 (DER); RFC 5652, clause 5;
ITU-T X.690, clause 11.6.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from gateway.signatures import ber

Place = tuple[int, int]
"""Number of the SignerInfo, and of the attribute among its unsigned ones."""

Change = Callable[[bytes], bytes]

_CERTIFICATES, _REVOCATIONS = b"\xa0", b"\xa1"
_SIGNED, _UNSIGNED = b"\xa0", b"\xa1"


def without(octets: bytes, places: Collection[Place]) -> bytes:
    """Return a CMS file less the attributes at `places`, in its existing coding.

    Where none is left, the field goes as well.  `octets` are what `cms_file.opened` took.
    """
    gone: dict[int, set[int]] = {}
    for signer, attribute in places:
        gone.setdefault(signer, set()).add(attribute)

    def change(signers: bytes) -> bytes:
        several = ber.elements(ber.contents(signers))
        for number, attributes in gone.items():
            several[number] = _less(several[number], attributes)
        return _wrapped(signers, several)

    return _in_signed_data(octets, lambda signed: _last(signed, change)) if gone else octets


def attributes(octets: bytes) -> Iterator[tuple[Place, bytes]]:
    """Yield every unsigned attribute of a CMS file as it stands, and its place."""
    _, explicit = ber.elements(ber.contents(octets))
    *_, signers = ber.elements(ber.contents(ber.contents(explicit)))
    for number, signer in enumerate(ber.elements(ber.contents(signers))):
        *_, last = ber.elements(ber.contents(signer))
        if last[:1] == _UNSIGNED:
            for place, attribute in enumerate(ber.elements(ber.contents(last))):
                yield (number, place), attribute


def in_der(octets: bytes) -> bytes:
    """Return a CMS file in DER: its SETs in order too, however they are tagged."""
    return _in_signed_data(ber.der(octets), _signed_data)


def attribute_in_der(octets: bytes) -> bytes:
    """Return one attribute as it stands in the file that `in_der` returns."""
    return _last(ber.der(octets), _sorted)


def _less(signer: bytes, gone: Collection[int]) -> bytes:
    """Return a SignerInfo without some of its unsigned attributes."""
    *fields, unsigned = ber.elements(ber.contents(signer))
    there = ber.elements(ber.contents(unsigned))
    kept = [one for number, one in enumerate(there) if number not in gone]
    return _wrapped(signer, [*fields, *([_wrapped(unsigned, kept)] if kept else [])])


def _signed_data(signed: bytes) -> bytes:
    version, digests, content, *rest, signers = ber.elements(ber.contents(signed))
    rest = [_sorted(one) if one[:1] in (_CERTIFICATES, _REVOCATIONS) else one for one in rest]
    several = [_signer(one) for one in ber.elements(ber.contents(signers))]
    fields = [version, _sorted(digests), content, *rest, _sorted(_wrapped(signers, several))]
    return _wrapped(signed, fields)


def _signer(signer: bytes) -> bytes:
    version, signed_by, digest, *rest = ber.elements(ber.contents(signer))
    rest = [_attributes(one) if one[:1] in (_SIGNED, _UNSIGNED) else one for one in rest]
    return _wrapped(signer, [version, signed_by, digest, *rest])


def _attributes(field: bytes) -> bytes:
    several = [_last(one, _sorted) for one in ber.elements(ber.contents(field))]
    return _sorted(_wrapped(field, several))


def _in_signed_data(octets: bytes, change: Change) -> bytes:
    """Return a ContentInfo with its SignedData changed."""
    return _last(octets, lambda explicit: _last(explicit, change))


def _last(octets: bytes, change: Change) -> bytes:
    """Return an element with the last one inside it changed."""
    *before, last = ber.elements(ber.contents(octets))
    return _wrapped(octets, [*before, change(last)])


def _sorted(octets: bytes) -> bytes:
    return _wrapped(octets, sorted(ber.elements(ber.contents(octets))))


def _wrapped(octets: bytes, inner: list[bytes]) -> bytes:
    """Return an element with other contents, its length in the form it had."""
    contents = b"".join(inner)
    if octets[1:2] == b"\x80":
        return octets[:2] + contents + ber.CONTENTS_END
    return octets[:1] + ber.length(len(contents)) + contents
