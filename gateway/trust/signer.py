"""Who signed: read from the certificate alone, never from what a message claims.

Source: order 795 of the FSB of 27.12.2011 (fields of a qualified certificate); RFC 4514
(distinguished names as text).
"""

from __future__ import annotations

import hashlib
import re

from asn1crypto import core, x509

from gateway.algorithms.asn1 import MALFORMED  # the module teaches the Russian fields
from gateway.model import Signer

_SHORT = {
    "common_name": "CN",
    "surname": "SN",
    "given_name": "GN",
    "organization_name": "O",
    "organizational_unit_name": "OU",
    "title": "T",
    "country_name": "C",
    "state_or_province_name": "ST",
    "locality_name": "L",
    "street_address": "STREET",
    "domain_component": "DC",
    "user_id": "UID",
    "serial_number": "SERIALNUMBER",
    "email_address": "E",
    "snils": "SNILS",
    "inn": "INN",
    "inn_le": "INNLE",
    "ogrn": "OGRN",
    "ogrnip": "OGRNIP",
}
_ESCAPED = re.compile(r'([,+"\\<>;=])')
_PADDED_INN = re.compile(r"00(\d{10})")
TEXT_CHARACTERS_MAX = 512
"""Of one attribute: a longer one is cut, a name is no place for a novel."""


def read_signer(certificate: bytes) -> Signer:
    """Return the person or organisation that a certificate names.

    Raises ValueError when the octets are not a certificate.
    """
    try:
        parsed = x509.Certificate.load(certificate, strict=True)
        return signer_of(parsed)
    except MALFORMED as error:
        raise ValueError("not a certificate") from error


def signer_of(certificate: x509.Certificate) -> Signer:
    """Return the person or organisation that a parsed certificate names."""
    fields = _fields(certificate.subject)
    inn, inn_organization = fields.get("inn"), fields.get("inn_le")
    # Before ИННЮЛ had a field of its own, organisations carried theirs padded in ИНН.
    padded = _PADDED_INN.fullmatch(inn or "")
    if padded:
        inn, inn_organization = None, inn_organization or padded[1]
    return Signer(
        subject=name_text(certificate.subject),
        serial=format(certificate.serial_number, "x"),
        issuer=name_text(certificate.issuer),
        common_name=fields.get("common_name", ""),
        snils=fields.get("snils"),
        inn=inn or inn_organization,
        ogrn=fields.get("ogrn") or fields.get("ogrnip"),
        organization=fields.get("organization_name"),
        certificate_sha256=hashlib.sha256(certificate.dump()).hexdigest(),
        inn_organization=inn_organization,
    )


def name_text(name: x509.Name) -> str:
    """Return a distinguished name as RFC 4514 writes it, most specific part first.

    The Russian attributes go by their usual Latin names (SNILS, OGRN, …) instead of numbers.
    """
    parts = []
    for relative in reversed(list(name.chosen)):
        parts.append("+".join(_pair(pair) for pair in relative))
    return ",".join(parts)


def short_name(name: x509.Name) -> str:
    """Return the common name, or the organisation, or the whole name: for people to read."""
    fields = _fields(name)
    return fields.get("common_name") or fields.get("organization_name") or name_text(name)


def _fields(name: x509.Name) -> dict[str, str]:
    """Return the first value of every attribute in a name."""
    found: dict[str, str] = {}
    for relative in name.chosen:
        for pair in relative:
            found.setdefault(str(pair["type"].native), _text(pair["value"]))
    return found


def _pair(pair: x509.NameTypeAndValue) -> str:
    kind = str(pair["type"].native)
    value = _ESCAPED.sub(r"\\\1", _text(pair["value"]))
    if value.startswith((" ", "#")):
        value = "\\" + value
    if value.endswith(" "):
        value = value[:-1] + "\\ "
    return f"{_SHORT.get(kind, pair['type'].dotted)}={value}"


def _text(value: core.Asn1Value) -> str:
    if isinstance(value, core.Any):
        value = value.parse()
    native = value.native
    text = native if isinstance(native, str) else value.dump().hex()
    # Control characters in a name are somebody's joke on a terminal or a log.
    return "".join(c for c in text if c.isprintable())[:TEXT_CHARACTERS_MAX]
