"""Small worlds of authorities with GOST keys: one anchor, and whatever a case puts below it.

Keys are made once and used in every world, so that a hundred worlds take a second; every
authority publishes a clean list unless the case publishes another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from asn1crypto import core, x509

from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Authority, Period
from gateway.trust import PathPolicy, Trust
from tests.pki.build import ALGORITHMS, ALIVE, CURRENT, NOW, Signing
from tests.pki.lists import Entry, revocation_list

CA_USAGE = frozenset({"key_cert_sign", "crl_sign"})
ANY_POLICY = "2.5.29.32.0"


@cache
def key_pair(family: str, title: str) -> tuple[bytes, bytes]:
    """Return the (private, public) key that goes by a title."""
    return ALGORITHMS.generate(family)


@dataclass
class World:
    """One anchor and what was made below it."""

    family: str
    others: list[x509.Certificate] = field(default_factory=list)
    authorities: list[Authority] = field(default_factory=list)
    published: dict[int, list[bytes]] = field(default_factory=dict)
    """Lists by their publisher, a place in `authorities`; one who is missing is clean."""

    policy: PathPolicy = field(default_factory=PathPolicy)

    def __post_init__(self) -> None:
        key, public = key_pair(self.family, "Anchor")
        extensions = [
            made.extension("basic_constraints", {"ca": True}, critical=True),
            made.extension("key_usage", set(CA_USAGE), critical=True),
        ]
        certificate = made.certify(
            dn("Anchor"), public, extensions, ALIVE, ALGORITHMS, own=(self.family, key)
        )
        self.anchor = Authority(family=self.family, certificate=certificate, key=key)
        self.authorities.append(self.anchor)

    def authority(
        self,
        title: str = "CA",
        under: Authority | None = None,
        *extensions: x509.Extension,
        key: str = "",
        subject: x509.Name | None = None,
        period: Period = ALIVE,
        usage: Sequence[str] = tuple(CA_USAGE),
        usage_critical: bool = True,
        constraints: dict[str, Any] | None = None,
        constraints_critical: bool = True,
        policies: Sequence[str] = (),
    ) -> Authority:
        """Return an authority; `key` names its key where not its title does.

        `constraints` are the basic ones, CA without a length by default; an empty dictionary
        leaves the extension out, as empty `usage` does.
        """
        constraints = {"ca": True} if constraints is None else constraints
        stated = list(extensions)
        if constraints:
            stated.append(
                made.extension("basic_constraints", constraints, critical=constraints_critical)
            )
        if usage:
            stated.append(made.extension("key_usage", set(usage), critical=usage_critical))
        if policies:
            stated.append(policies_of(*policies))
        found = self._certified(title, under, stated, key or title, subject, period)
        authority = found.as_authority()
        self.authorities.append(authority)
        self.others.append(authority.certificate)
        return authority

    def signer(
        self,
        under: Authority,
        *extensions: x509.Extension,
        title: str = "Signer",
        subject: x509.Name | None = None,
        period: Period = ALIVE,
        policies: Sequence[str] = (),
    ) -> x509.Certificate:
        """Return an end entity's certificate."""
        usage = made.extension("key_usage", {"digital_signature"}, critical=True)
        stated = [usage, *extensions]
        if policies:
            stated.append(policies_of(*policies))
        return self._certified(title, under, stated, title, subject, period).certificate

    def publish(
        self,
        authority: Authority,
        *entries: Entry,
        period: Period = CURRENT,
        extensions: Sequence[tuple[str, bool, Any]] = (),
        number: int | None = 1,
    ) -> None:
        """Publish a list of an authority in place of the clean one, or one more."""
        octets = revocation_list(
            authority, *entries, period=period, extensions=extensions, number=number
        )
        self.lists_of(authority).append(octets)

    def lists_of(self, authority: Authority) -> list[bytes]:
        """Return the published lists of an authority, to be changed."""
        return self.published.setdefault(self.authorities.index(authority), [])

    def revoke(self, authority: Authority, *certificates: x509.Certificate) -> None:
        """Publish a list with certificates on it."""
        self.publish(authority, *(Entry(serial=c.serial_number) for c in certificates))

    def passes(self, certificate: x509.Certificate, at: datetime = NOW) -> str | None:
        """Return the sub-indication of the path; None when it is right."""
        lists = []
        for place, authority in enumerate(self.authorities):
            usage = authority.certificate.key_usage_value
            may_list = usage is None or "crl_sign" in usage.native
            clean = [revocation_list(authority)] if may_list else []
            lists += self.published.get(place, clean)
        trust = Trust(
            [self.anchor.certificate.dump()],
            [other.dump() for other in self.others],
            lists,
            algorithms=ALGORITHMS,
            policy=self.policy,
        )
        return trust.judge(certificate.dump(), (), at, purpose="path").sub_indication

    def _certified(
        self,
        title: str,
        under: Authority | None,
        extensions: Sequence[x509.Extension],
        key_title: str,
        subject: x509.Name | None,
        period: Period,
    ) -> Signing:
        key, public = key_pair(self.family, key_title)
        certificate = made.certify(
            subject or dn(title),
            public,
            extensions,
            period,
            ALGORITHMS,
            issuer=under or self.anchor,
        )
        return Signing(certificate=certificate, key=key, family=self.family)


def dn(title: str, *more: tuple[str, str]) -> x509.Name:
    """Return a name of an organisation and a common name."""
    return made.name(("organization_name", "Twin"), *more, ("common_name", title))


def printable(title: str) -> x509.Name:
    """Return the same name in another string type (RFC 5280, section 7.1, compares them)."""
    found = dn(title)
    for relative in found.chosen:
        text = relative[0]["value"].native
        relative[0]["value"] = x509.DirectoryString(
            name="printable_string", value=core.PrintableString(text)
        )
    return x509.Name.load(found.dump(force=True))


def policies_of(*oids: str) -> x509.Extension:
    """Return certificate policies."""
    return made.extension("certificate_policies", [{"policy_identifier": oid} for oid in oids])


def spoiled(certificate: x509.Certificate) -> x509.Certificate:
    """Return a certificate with one bit of its signature changed."""
    octets = bytearray(certificate.dump())
    octets[-1] ^= 1
    return x509.Certificate.load(bytes(octets))
