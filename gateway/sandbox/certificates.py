"""Makes certificates, revocation lists and OCSP responses of a sandbox authority.

Built with asn1crypto and the gateway's own algorithms, so that GOST needs no OpenSSL tool.
For sandboxes and tests: an authority of value keeps its key in a certified module.

Source: RFC 5280 (certificates, lists), RFC 6960 (OCSP), RFC 9215 (GOST); order 795 of the FSB
of 27.12.2011 (fields and policies of a qualified certificate).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import core, crl, keys, ocsp, x509

from gateway.algorithms.asn1 import signature_algorithm
from gateway.algorithms.interface import Algorithms, Scheme

DIGESTS = {
    "gost256": "streebog256",
    "gost512": "streebog512",
    "rsa": "sha256",
    "ecdsa": "sha256",
}
"""Key family → digest its authority signs with."""

SECURITY_CLASSES = ("1.2.643.100.113.1", "1.2.643.100.113.2")
"""КС1 and КС2: certificate policies of 63-ФЗ certificates."""

TOOL = "СКЗИ песочницы (не сертифицировано)"
NUMERIC = ("snils", "inn", "inn_le", "ogrn", "ogrnip")
PRINTABLE = ("country_name",)


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Who signs certificates and lists: a certificate and its private key."""

    family: str
    certificate: x509.Certificate
    key: bytes
    """PKCS#8, DER."""


@dataclass(frozen=True, kw_only=True)
class Period:
    """From when to when a certificate is valid."""

    begins: datetime
    ends: datetime


def name(*pairs: tuple[str, str]) -> x509.Name:
    """Return a distinguished name in the order given: (asn1crypto's attribute name, text)."""
    return x509.Name(
        name="",
        value=x509.RDNSequence(
            [
                x509.RelativeDistinguishedName(
                    [x509.NameTypeAndValue({"type": kind, "value": _value(kind, text)})]
                )
                for kind, text in pairs
            ]
        ),
    )


def certify(
    subject: x509.Name,
    public: bytes,
    extensions: Sequence[x509.Extension],
    period: Period,
    algorithms: Algorithms,
    *,
    issuer: Authority | None = None,
    own: tuple[str, bytes] | None = None,
) -> x509.Certificate:
    """Return a certificate for public key `public`, issued by `issuer`.

    Without an issuer the certificate signs itself with `own`, a (family, private key) pair.
    """
    assert (issuer is None) != (own is None)
    family, key = (issuer.family, issuer.key) if issuer is not None else own or ("", b"")
    algorithm = signature_algorithm(family, DIGESTS[family])
    key_id = key_identifier(public)
    issuer_id = issuer.certificate.key_identifier if issuer is not None else key_id
    standing = [
        extension("key_identifier", key_id),
        extension("authority_key_identifier", {"key_identifier": issuer_id}),
    ]
    body = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": int.from_bytes(secrets.token_bytes(15), "big") | 1 << 119,
            "signature": algorithm,
            "issuer": issuer.certificate.subject if issuer is not None else subject,
            "validity": {"not_before": _time(period.begins), "not_after": _time(period.ends)},
            "subject": subject,
            "subject_public_key_info": keys.PublicKeyInfo.load(public),
            "extensions": [*standing, *extensions],
        }
    )
    return x509.Certificate(
        {
            "tbs_certificate": body,
            "signature_algorithm": algorithm,
            "signature_value": _sign(family, key, body.dump(), algorithms),
        }
    )


def revocation_list(
    authority: Authority,
    revoked: Sequence[tuple[int, datetime]],
    number: int,
    period: Period,
    algorithms: Algorithms,
) -> crl.CertificateList:
    """Return a list of `revoked` (serial number, moment) in force over `period`."""
    algorithm = signature_algorithm(authority.family, DIGESTS[authority.family])
    body: dict[str, Any] = {
        "version": "v2",
        "signature": algorithm,
        "issuer": authority.certificate.subject,
        "this_update": _time(period.begins),
        "next_update": _time(period.ends),
        "crl_extensions": [
            {
                "extn_id": "authority_key_identifier",
                "extn_value": {"key_identifier": authority.certificate.key_identifier},
            },
            {"extn_id": "crl_number", "extn_value": number},
        ],
    }
    if revoked:
        body["revoked_certificates"] = [
            {
                "user_certificate": serial,
                "revocation_date": _time(moment),
                "crl_entry_extensions": [{"extn_id": "crl_reason", "extn_value": "key_compromise"}],
            }
            for serial, moment in revoked
        ]
    signed = crl.TbsCertList(body)
    return crl.CertificateList(
        {
            "tbs_cert_list": signed,
            "signature_algorithm": algorithm,
            "signature": _sign(authority.family, authority.key, signed.dump(), algorithms),
        }
    )


def ocsp_response(
    certificate: x509.Certificate,
    issuer: Authority,
    responder: Authority,
    period: Period,
    algorithms: Algorithms,
    *,
    revoked_at: datetime | None = None,
    reason: str = "key_compromise",
    digest: str = "sha1",
) -> ocsp.OCSPResponse:
    """Return a response about one certificate, signed by `responder`.

    The certificate is named by a `digest` of its issuer, as the request would have done.
    """
    issuer_key = issuer.certificate["tbs_certificate"]["subject_public_key_info"]
    issuer_name = issuer.certificate.subject.dump()
    status: tuple[str, Any] = ("good", core.Null())
    if revoked_at is not None:
        told = {"revocation_time": revoked_at, "revocation_reason": reason}
        status = ("revoked", told)
    body = ocsp.ResponseData(
        {
            "responder_id": ocsp.ResponderId(name="by_name", value=responder.certificate.subject),
            "produced_at": period.begins,
            "responses": [
                {
                    "cert_id": {
                        "hash_algorithm": {"algorithm": digest},
                        "issuer_name_hash": algorithms.digest(digest, issuer_name),
                        "issuer_key_hash": algorithms.digest(
                            digest, bytes(issuer_key["public_key"])
                        ),
                        "serial_number": certificate.serial_number,
                    },
                    "cert_status": ocsp.CertStatus(name=status[0], value=status[1]),
                    "this_update": period.begins,
                    "next_update": period.ends,
                }
            ],
        }
    )
    basic = ocsp.BasicOCSPResponse(
        {
            "tbs_response_data": body,
            "signature_algorithm": signature_algorithm(responder.family, DIGESTS[responder.family]),
            "signature": _sign(responder.family, responder.key, body.dump(), algorithms),
            "certs": [responder.certificate],
        }
    )
    return ocsp.OCSPResponse(
        {
            "response_status": "successful",
            "response_bytes": {"response_type": "basic_ocsp_response", "response": basic},
        }
    )


def extension(kind: str, value: Any, *, critical: bool = False) -> x509.Extension:
    """Return an extension that asn1crypto knows, by its name there."""
    return x509.Extension({"extn_id": kind, "critical": critical, "extn_value": value})


def authority_extensions(path_length: int | None) -> list[x509.Extension]:
    """Return the extensions of a CA certificate."""
    usage = {"digital_signature", "key_cert_sign", "crl_sign"}
    return [
        extension("basic_constraints", _constraints(path_length), critical=True),
        extension("key_usage", usage, critical=True),
        _policies(),
    ]


def signing_extensions(period: Period, authority: str) -> list[x509.Extension]:
    """Return the extensions of a qualified signing certificate; `authority` names its CA."""
    usage = {"digital_signature", "non_repudiation", "key_encipherment", "key_agreement"}
    issuer_tool = core.SequenceOf(
        [TOOL, "УЦ песочницы", "нет сертификата", "нет заключения"], spec=core.UTF8String
    )
    return [
        extension("key_usage", usage, critical=True),
        extension("extended_key_usage", ["client_auth", "email_protection"]),
        _policies(),
        *pointers(authority),
        extension(
            "private_key_usage_period",
            {"not_before": period.begins, "not_after": period.ends},
        ),
        _raw("1.2.643.100.111", core.UTF8String(TOOL)),
        _raw("1.2.643.100.112", issuer_tool),
        _raw("1.2.643.100.114", core.Integer(0)),
    ]


def pointers(authority: str) -> list[x509.Extension]:
    """Return where revocation of certificates of `authority` would be asked: nowhere real."""
    place = f"http://{authority}.pki.invalid"
    return [
        extension(
            "crl_distribution_points",
            [
                {
                    "distribution_point": x509.DistributionPointName(
                        name="full_name", value=[_uri(f"{place}/list.crl")]
                    )
                }
            ],
        ),
        extension(
            "authority_information_access",
            [{"access_method": "ocsp", "access_location": _uri(f"{place}/ocsp")}],
        ),
    ]


def responder_extensions() -> list[x509.Extension]:
    """Return the extensions of a delegated OCSP responder."""
    return [
        extension("key_usage", {"digital_signature"}, critical=True),
        extension("extended_key_usage", ["ocsp_signing"]),
        extension("ocsp_no_check", core.Null()),
    ]


def timestamper_extensions() -> list[x509.Extension]:
    """Return the extensions of a time-stamping authority (RFC 3161, section 2.3)."""
    return [
        extension("key_usage", {"digital_signature", "non_repudiation"}, critical=True),
        extension("extended_key_usage", ["time_stamping"], critical=True),
    ]


def key_identifier(public: bytes) -> bytes:
    """Return the identifier of a public key (RFC 5280, section 4.2.1.2, method 1)."""
    bits = keys.PublicKeyInfo.load(public)["public_key"]
    return hashlib.sha1(bytes(bits), usedforsecurity=False).digest()


def _sign(family: str, key: bytes, octets: bytes, algorithms: Algorithms) -> bytes:
    return algorithms.sign(key, Scheme(family=family, digest=DIGESTS[family]), octets)


def _constraints(path_length: int | None) -> dict[str, Any]:
    if path_length is None:
        return {"ca": True}
    return {"ca": True, "path_len_constraint": path_length}


def _policies() -> x509.Extension:
    return extension(
        "certificate_policies", [{"policy_identifier": oid} for oid in SECURITY_CLASSES]
    )


def _raw(oid: str, value: core.Asn1Value) -> x509.Extension:
    """Return an extension that asn1crypto does not know."""
    return x509.Extension({"extn_id": oid, "extn_value": core.ParsableOctetString(value.dump())})


def _uri(place: str) -> x509.GeneralName:
    return x509.GeneralName(name="uniform_resource_identifier", value=place)


def _value(kind: str, text: str) -> Any:
    if kind in NUMERIC:
        return core.Any(core.NumericString(text))
    if kind in PRINTABLE:
        return x509.DirectoryString(name="printable_string", value=core.PrintableString(text))
    return x509.DirectoryString(name="utf8_string", value=core.UTF8String(text))


def _time(moment: datetime) -> x509.Time:
    # Until 2049 UTCTime is the rule, from 2050 on GeneralizedTime (RFC 5280, 4.1.2.5).
    whole = moment - timedelta(microseconds=moment.microsecond)
    kind = "utc_time" if whole.year < 2050 else "general_time"
    return x509.Time(name=kind, value=whole)
