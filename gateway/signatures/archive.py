"""What an archive time stamp of CAdES is over: nearly everything in the file, in a fixed order.

Version 3 names what it covers by digests in an index of its own, so that later parts may be
added; version 2 covers the parts as they stood, and those that came after are left out again.

Source: ETSI EN 319 122-1, clauses 5.5.2 and 5.5.3 (version 3); ETSI TS 101 733 V1.8.3,
clause 6.4.1 (version 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import algos, cms, core, tsp

from gateway.signatures import ber, cms_file, findings
from gateway.signatures.cms_attributes import (
    ARCHIVE_V2,
    ARCHIVE_V3,
    HASH_INDEXES,
    Attribute,
    Unsigned,
)
from gateway.signatures.cms_signer import Signer
from gateway.signatures.findings import FORMAT_FAILURE, HASH_FAILURE, failed

_SIGNED_FIELDS = 6
"""version, sid, digestAlgorithm, signedAttrs, signatureAlgorithm, signature."""


READINGS_MAX = 4
"""Of one archive time stamp of version 2; the content is digested once for each."""


@dataclass(frozen=True, kw_only=True)
class _Token:
    """What an archive token says of how its imprint is computed."""

    digest: str
    imprint: bytes
    at: datetime
    unsigned: Unsigned


@dataclass(frozen=True, kw_only=True)
class Stamped:
    """What an archive token should be over."""

    octets: bytes
    values: tuple[bytes, ...]
    """Values of unsigned attributes that are among it."""

    index: str = ""
    """The digest by which its index names what it is over; empty where it has none."""


def stamped_by(kind: str, written: bytes, signer: Signer, unsigned: Unsigned) -> Stamped:
    """Return what the archive token `written` should be over.

    Raises the flaw of what cannot be put together: a token that cannot be read, or an index
    that names what the file does not have.
    """
    token = _read(written)
    if kind == ARCHIVE_V3:
        return _version_3(token, signer, unsigned)
    return _version_2(token, signer, unsigned)


def _read(written: bytes) -> _Token:
    file = cms_file.opened(written)
    content = tsp.TSTInfo.load(file.content or b"", strict=True)
    imprint = content["message_imprint"]
    return _Token(
        digest=str(imprint["hash_algorithm"]["algorithm"].native),
        imprint=imprint["hashed_message"].native,
        at=content["gen_time"].native,
        unsigned=Unsigned.of(file.signers[0]),
    )


# --- version 3 -------------------------------------------------------------------------


def _version_3(token: _Token, signer: Signer, unsigned: Unsigned) -> Stamped:
    indexes = [(kind, value) for kind in HASH_INDEXES for value in token.unsigned.values(kind)]
    if len(indexes) != 1:
        raise failed("archive_index", FORMAT_FAILURE, f"{len(indexes)} indexes")
    if signer.octets is None:
        raise failed("archive_index", HASH_FAILURE, "the signed content is not there")
    version, index = indexes[0]
    name, lists = _index(index)
    values = _complete(version, name, lists, signer, unsigned)
    content = signer.content_digest(token.digest, signer.octets)
    kind = core.ObjectIdentifier(signer.signed.content_type).dump()
    octets = b"".join((kind, content, *_fields(signer.info)[:_SIGNED_FIELDS], ber.der(index)))
    return Stamped(octets=octets, values=values, index=name)


def _complete(
    version: str, name: str, lists: list[list[bytes]], signer: Signer, unsigned: Unsigned
) -> tuple[bytes, ...]:
    """Return the values of attributes that an index names by digests of that name.

    Raises the flaw of one that names a part the file does not have (clause 5.5.2).
    """

    def digest(part: bytes) -> bytes:
        return findings.digest(signer.algorithms, name, part, "archive_index")

    parts = _attribute_parts(version, unsigned)
    attributes = {digest(part): values for part, values in parts.items()}
    present = (
        set(map(digest, _elements(signer.signed.certificates_field))),
        set(map(digest, _elements(signer.signed.revocations_field))),
        attributes.keys(),
    )
    for what, named, there in zip(
        ("certificate", "revocation object", "attribute"), lists, present, strict=True
    ):
        if not there >= set(named):
            detail = f"names a {what} that is not there"
            raise failed("archive_index", HASH_FAILURE, detail)
    return tuple(value for one in dict.fromkeys(lists[2]) for value in attributes[one])


def _elements(field: bytes) -> list[bytes]:
    return ber.elements(ber.contents(field)) if field else []


def _index(octets: bytes) -> tuple[str, list[list[bytes]]]:
    """Return the digest's name and the three lists of digests."""
    parts = ber.elements(ber.contents(octets))
    name = "sha256"
    if len(parts) == 4:
        # Version 1 leaves SHA-256 out, which is the default there.
        name = str(algos.DigestAlgorithm.load(parts.pop(0))["algorithm"].native)
    lists = [[ber.contents(one) for one in ber.elements(ber.contents(part))] for part in parts]
    if len(lists) != 3:
        raise failed("archive_index", HASH_FAILURE, "not an index")
    return name, lists


def _attribute_parts(version: str, unsigned: Unsigned) -> dict[bytes, tuple[bytes, ...]]:
    """Return what the third list has digests of, with the values that are in it.

    These are attributes, or in version 3 their values.
    """
    if version != HASH_INDEXES[2]:
        return {one.octets: one.values for one in unsigned.attributes}
    return {
        one.kind_octets + value: (value,) for one in unsigned.attributes for value in one.values
    }


# --- version 2 -------------------------------------------------------------------------


def _version_2(token: _Token, signer: Signer, unsigned: Unsigned) -> Stamped:
    """Return the one reading of clause 6.4.1 whose digest the token has, or else the first.

    Versions of the standard differ in whether tag and length of the attributes count, and
    tools in their order.
    """
    start = _head(signer) + b"".join(_fields(signer.info)[:_SIGNED_FIELDS])
    there = _there(token, unsigned)
    values = tuple(value for one in there for value in one.values)
    readings = _readings(there)
    for reading in readings:
        computed = findings.digest(
            signer.algorithms, token.digest, start + reading, "message_imprint"
        )
        if computed == token.imprint:
            return Stamped(octets=start + reading, values=values)
    return Stamped(octets=start + readings[0], values=values)


def version_2_size(signer: Signer) -> int:
    """Return how many octets are digested at most to check one token of version 2."""
    content = len(signer.octets or b"") + len(signer.signed.encapsulated)
    return (content + len(signer.info.dump())) * (READINGS_MAX + 1)


def _there(token: _Token, unsigned: Unsigned) -> list[Attribute]:
    """Return the unsigned attributes but for archive time stamps of a later time."""
    return [
        one
        for one in unsigned.attributes
        if one.kind not in (ARCHIVE_V2, ARCHIVE_V3) or _earlier(one, token)
    ]


def _readings(there: Sequence[Attribute]) -> list[bytes]:
    """Return unsigned attributes as they may have stood, the likeliest first."""
    written = [one.octets for one in there]
    found = []
    for order in (written, sorted(written)):
        inner = b"".join(order)
        found += [b"\xa1" + ber.length(len(inner)) + inner, inner]
    return list(dict.fromkeys(found))[:READINGS_MAX]


def _earlier(attribute: Attribute, token: _Token) -> bool:
    return all(bool(_read(value).at < token.at) for value in attribute.values)


def _head(signer: Signer) -> bytes:
    """Return the content and the certificates and lists of the file, as they are encoded."""
    file = signer.signed
    content = file.encapsulated
    if file.content is None and signer.octets is not None:
        content += signer.octets
    return content + file.certificates_field + file.revocations_field


def _fields(info: cms.SignerInfo) -> list[bytes]:
    """Return the fields of a SignerInfo, each in DER."""
    return ber.elements(ber.contents(ber.der(info.dump())))
