"""Revocation lists for tests, with whatever extensions: delta, indirect, for a part only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import crl, x509

from gateway.algorithms.asn1 import scheme_of_certificate_signature, signature_algorithm
from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Authority, Period
from tests.pki.build import ALGORITHMS, CURRENT, DAY, NOW

DIGESTS = {"gost256": "streebog256", "gost512": "streebog512", "rsa": "sha256", "ecdsa": "sha256"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One revoked certificate on a list."""

    serial: int
    at: datetime = NOW - 2 * DAY
    reason: str | None = "key_compromise"
    issuer: x509.Name | None = None
    """Whose certificate it is, where the list speaks of more than one authority's."""


def revocation_list(
    authority: Authority,
    *entries: Entry,
    period: Period = CURRENT,
    extensions: Sequence[tuple[str, bool, Any]] = (),
    number: int | None = 1,
) -> bytes:
    """Return a list in DER; `extensions` are (name, critical, value)."""
    algorithm = signature_algorithm(authority.family, DIGESTS[authority.family])
    stated = [{"extn_id": i, "critical": c, "extn_value": v} for i, c, v in extensions]
    if number is not None:
        stated.append({"extn_id": "crl_number", "extn_value": number})
    body: dict[str, Any] = {
        "version": "v2",
        "signature": algorithm,
        "issuer": authority.certificate.subject,
        "this_update": x509.Time(name="utc_time", value=period.begins),
        "next_update": x509.Time(name="utc_time", value=period.ends),
        "crl_extensions": stated,
    }
    if entries:
        body["revoked_certificates"] = [_entry(entry) for entry in entries]
    return signed(authority, crl.TbsCertList(body))


def signed(authority: Authority, body: crl.TbsCertList) -> bytes:
    """Return a list with this body, signed by the authority's key."""
    public = authority.certificate["tbs_certificate"]["subject_public_key_info"]
    scheme = scheme_of_certificate_signature(public, body["signature"])
    signature = ALGORITHMS.sign(authority.key, scheme, body.dump())
    whole = {
        "tbs_cert_list": body,
        "signature_algorithm": body["signature"],
        "signature": signature,
    }
    return bytes(crl.CertificateList(whole).dump())


def partition(**stated: Any) -> tuple[str, bool, Any]:
    """Return an issuing distribution point: `only_contains_user_certs=True` and so on."""
    return ("issuing_distribution_point", True, stated)


def point(*, uri: str = "", issuer: x509.Name | None = None) -> x509.Extension:
    """Return where a certificate says its list is: at a place, or by another issuer."""
    found: dict[str, Any] = {}
    if uri:
        found["distribution_point"] = place(uri)
    if issuer is not None:
        found["crl_issuer"] = [x509.GeneralName(name="directory_name", value=issuer)]
    return made.extension("crl_distribution_points", [found])


def place(uri: str) -> x509.DistributionPointName:
    """Return the name of a distribution point."""
    named = x509.GeneralName(name="uniform_resource_identifier", value=uri)
    return x509.DistributionPointName(name="full_name", value=[named])


def _entry(entry: Entry) -> dict[str, Any]:
    stated: list[dict[str, Any]] = []
    if entry.reason is not None:
        stated.append({"extn_id": "crl_reason", "extn_value": entry.reason})
    if entry.issuer is not None:
        named = x509.GeneralName(name="directory_name", value=entry.issuer)
        stated.append({"extn_id": "certificate_issuer", "critical": True, "extn_value": [named]})
    found: dict[str, Any] = {
        "user_certificate": entry.serial,
        "revocation_date": x509.Time(name="utc_time", value=entry.at),
    }
    if stated:
        found["crl_entry_extensions"] = stated
    return found
