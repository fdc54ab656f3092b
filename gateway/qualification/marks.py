"""The marks of a qualified certificate, read from the certificate alone.

Source: order 795 of the FSB of 27.12.2011 as amended by order 31 of 29.01.2021 (fields of a
qualified certificate); RFC 5280, sections 4.2.1.3, 4.2.1.4; X.509, 8.2.2.5 (term of the key).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from asn1crypto import core, x509

from gateway.algorithms.asn1 import MALFORMED

SECURITY_CLASSES = {
    "1.2.643.100.113.1": "КС1",
    "1.2.643.100.113.2": "КС2",
    "1.2.643.100.113.3": "КС3",
    "1.2.643.100.113.4": "КВ1",
    "1.2.643.100.113.5": "КВ2",
    "1.2.643.100.113.6": "КА1",
}
"""Classes of the owner's signing tool, as certificate policies."""

SUBJECT_SIGN_TOOL = "1.2.643.100.111"
ISSUER_SIGN_TOOL = "1.2.643.100.112"
IDENTIFICATION_KIND = "1.2.643.100.114"
IDENTIFICATION_KINDS = (0, 1, 2, 3)
"""In person; by a qualified signature; by a biometric passport; by the state's biometrics."""

CERTIFICATES_MAX = 1024
"""Certificates whose marks are remembered: a laboratory signs with a handful for a year."""

TOOL_CHARACTERS_MAX = 200

_FAMILIES = {
    "gost2012_256": "gost256",
    "gost2012_512": "gost512",
    "rsa": "rsa",
    "rsassa_pss": "rsa-pss",
    "ec": "ecdsa",
    "ed25519": "ed25519",
}


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What a certificate says of itself and its owner's tool."""

    family: str
    """Key family as algorithms name it; empty for one nobody here computes."""

    issued_at: datetime
    security_classes: tuple[str, ...]
    """`КС1` … `КА1`; none on a certificate that is not qualified."""

    subject_tool: str
    issuer_tool: bool
    """Whether the authority's tools and their papers are named."""

    identification: int | None
    """How the owner was identified; None when the certificate does not say."""

    key_usage: frozenset[str] | None
    """None when the certificate limits nothing."""

    limited_in_words: bool
    """Whether a limit of use is written for people (policy notice)."""

    key_from: datetime | None
    key_until: datetime | None


@lru_cache(maxsize=CERTIFICATES_MAX)
def marks_of(certificate: bytes) -> Marks | None:
    """Return the marks of a DER certificate; None when it cannot be read."""
    try:
        return _marks(x509.Certificate.load(certificate, strict=True))
    except MALFORMED:
        return None


def _marks(certificate: x509.Certificate) -> Marks:
    own = {
        extension["extn_id"].dotted: extension["extn_value"]
        for extension in certificate["tbs_certificate"]["extensions"]
    }
    policies = certificate.certificate_policies_value or ()
    usage = certificate.key_usage_value
    term = certificate.private_key_usage_period_value
    key = certificate["tbs_certificate"]["subject_public_key_info"]
    return Marks(
        family=_FAMILIES.get(str(key["algorithm"]["algorithm"].native), ""),
        issued_at=_moment(certificate.not_valid_before),
        security_classes=tuple(
            SECURITY_CLASSES[policy["policy_identifier"].dotted]
            for policy in policies
            if policy["policy_identifier"].dotted in SECURITY_CLASSES
        ),
        subject_tool=_text(own.get(SUBJECT_SIGN_TOOL)),
        issuer_tool=_four_texts(own.get(ISSUER_SIGN_TOOL)),
        identification=_number(own.get(IDENTIFICATION_KIND)),
        key_usage=frozenset(usage.native) if usage is not None else None,
        limited_in_words=any(map(_notice, policies)),
        key_from=_moment_or_none(term["not_before"].native) if term is not None else None,
        key_until=_moment_or_none(term["not_after"].native) if term is not None else None,
    )


def _moment_or_none(native: object) -> datetime | None:
    return None if native is None else _moment(native)


def _moment(native: object) -> datetime:
    """Return a time of the certificate; one without an offset, or of year 0, is malformed."""
    if not isinstance(native, datetime) or native.tzinfo is None:
        raise ValueError("not a moment")
    return native


def _text(value: core.ParsableOctetString | None) -> str:
    if value is None:
        return ""
    text = core.UTF8String.load(bytes(value)).native
    return "".join(filter(str.isprintable, text))[:TOOL_CHARACTERS_MAX]


def _four_texts(value: core.ParsableOctetString | None) -> bool:
    """Say whether tool, authority's tool and both papers are named (order 795, point 23)."""
    if value is None:
        return False
    texts = core.SequenceOf.load(bytes(value), spec=core.UTF8String)
    return len(texts) == 4 and all(one.native for one in texts)


def _number(value: core.ParsableOctetString | None) -> int | None:
    return None if value is None else int(core.Integer.load(bytes(value)).native)


def _notice(policy: x509.PolicyInformation) -> bool:
    qualifiers = policy["policy_qualifiers"].native or ()
    return any(one["policy_qualifier_id"] == "user_notice" for one in qualifiers)
