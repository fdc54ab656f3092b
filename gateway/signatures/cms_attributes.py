"""The attributes of a CMS signature by number, as the octets they came in.

Time stamps and hash indexes are over octets, so attributes are handed out as they stand.

Source: RFC 5652, clause 11; RFC 5035; RFC 5126; ETSI EN 319 122-1, annex E.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asn1crypto import cms, core

from gateway.signatures import ber
from gateway.signatures.findings import FORMAT_FAILURE, failed

ATTRIBUTES_MAX = 128

_AA = "1.2.840.113549.1.9.16.2"
COUNTER_SIGNATURE = "1.2.840.113549.1.9.6"
SIGNATURE_TIME_STAMP = f"{_AA}.14"
SIGNATURE_POLICY = f"{_AA}.15"
CONTENT_TIME_STAMP = f"{_AA}.20"
CERTIFICATE_REFERENCES = f"{_AA}.21"
REVOCATION_REFERENCES = f"{_AA}.22"
CERTIFICATE_VALUES = f"{_AA}.23"
REVOCATION_VALUES = f"{_AA}.24"
VALIDATION_TIME_STAMP = f"{_AA}.25"
"""CAdES-C time stamp: over the signature's value and what was collected to validate it."""

REFERENCES_TIME_STAMP = f"{_AA}.26"
EVIDENCE_RECORDS = (f"{_AA}.49", f"{_AA}.50")
"""Internal and external (RFC 4998, appendix A)."""

ARCHIVE_V2 = f"{_AA}.48"
ARCHIVE_V3 = "0.4.0.1733.2.4"
LONG_TERM = "0.4.0.1733.2.2"
HASH_INDEXES = ("0.4.0.1733.2.5", "0.4.0.19122.1.4", "0.4.0.19122.1.5")
"""ATSHashIndex in its three versions."""


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute as it came."""

    kind: str
    octets: bytes
    """The whole Attribute SEQUENCE."""

    values: tuple[bytes, ...]

    @staticmethod
    def of(octets: bytes) -> Attribute:
        """Return the attribute in `octets`; raises what MALFORMED names."""
        kind, values = ber.elements(ber.contents(octets))
        return Attribute(
            kind=str(core.ObjectIdentifier.load(kind, strict=True).dotted),
            octets=octets,
            values=tuple(ber.elements(ber.contents(values))),
        )

    @property
    def kind_octets(self) -> bytes:
        """The attribute's type, DER."""
        return ber.elements(ber.contents(self.octets))[0]


@dataclass(frozen=True, kw_only=True)
class Unsigned:
    """The unsigned attributes of one signer, in their order."""

    attributes: tuple[Attribute, ...]

    @staticmethod
    def of(info: cms.SignerInfo) -> Unsigned:
        """Return those of `info`; raises the flaw of more than anybody needs."""
        written = info["unsigned_attrs"]
        if not isinstance(written, cms.CMSAttributes):
            return Unsigned(attributes=())
        found = ber.elements(ber.contents(written.dump()))
        if len(found) > ATTRIBUTES_MAX:
            raise failed("unsigned_attributes", FORMAT_FAILURE, f"{len(found)} attributes")
        return Unsigned(attributes=tuple(map(Attribute.of, found)))

    def values(self, kind: str) -> list[bytes]:
        """Return the values of every attribute of a kind."""
        return [value for one in self.attributes if one.kind == kind for value in one.values]

    def contents(self, *kinds: str) -> bytes:
        """Return type and values of the attributes of these kinds, kind by kind.

        As time stamps over attributes are computed: without tag and length of the attribute
        itself (EN 319 122-1, A.1.5).
        """
        return b"".join(
            ber.contents(ber.der(one.octets))
            for kind in kinds
            for one in self.attributes
            if one.kind == kind
        )


def values_of(values: Any) -> Sequence[bytes]:
    """Return the octets of each value of a signed attribute that asn1crypto read."""
    return ber.elements(ber.contents(values.dump()))
