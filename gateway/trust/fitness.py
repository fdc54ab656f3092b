"""What a certificate may be used for, and whether its key is strong enough.

Apart from the path: a path can be right and its certificate still be no signer's.
Source: RFC 5280, sections 4.2.1.3 and 4.2.1.12; RFC 3161, section 2.3.
"""

from __future__ import annotations

from typing import Literal

from asn1crypto import x509

from gateway.algorithms.interface import Algorithms, Scheme
from gateway.model import Check, CheckStatus
from gateway.trust.hook import strength

Purpose = Literal["signing", "timestamping", "path"]
"""What the certificate is judged for; `path` asks nothing beyond a valid path (RFC 5280,
section 6), so an authority's own certificate may be asked about too."""

FAMILIES = {
    "rsa": ("rsa", "sha512"),
    "rsassa_pss": ("rsa-pss", "sha512"),
    "ec": ("ecdsa", "sha512"),
    "ed25519": ("ed25519", "sha512"),
    "ed448": ("ed448", "shake256"),
    "gost2012_256": ("gost256", "streebog256"),
    "gost2012_512": ("gost512", "streebog512"),
    "gost2001": ("gost2001", "gost94"),
}
"""Of each kind of key, its family in the policy, and a digest that never is the weaker part."""

SIGNING_USAGES = {"digital_signature", "non_repudiation"}
NOT_FOR_DOCUMENTS = {"time_stamping", "ocsp_signing"}


def fitness(
    leaf: x509.Certificate, purpose: Purpose, algorithms: Algorithms
) -> list[tuple[Check, str]]:
    """Return the checks of `purpose`, each with the sub-indication should it not pass."""
    if purpose == "path":
        return []
    return [
        (_usage(leaf, purpose), "CHAIN_CONSTRAINTS_FAILURE"),
        (_strength(leaf, algorithms), "CRYPTO_CONSTRAINTS_FAILURE"),
    ]


def _usage(leaf: x509.Certificate, purpose: Purpose) -> Check:
    """Check that the certificate may sign documents, or stamp times."""
    allowed = leaf.key_usage_value.native if leaf.key_usage_value is not None else None
    extended = leaf.extended_key_usage_value
    purposes = set(extended.native) if extended is not None else set()
    status = CheckStatus.FAILED
    if leaf.ca:
        detail = "of an authority, which signs no documents"
    elif allowed is not None and not allowed & SIGNING_USAGES:
        detail = "neither digitalSignature nor nonRepudiation"
    elif purpose == "timestamping" and purposes != {"time_stamping"}:
        detail = "not for time-stamping alone"
    elif purpose == "timestamping" and "extended_key_usage" not in leaf.critical_extensions:
        detail = "for time-stamping, but not as a critical extension"
    elif purpose == "signing" and purposes and purposes <= NOT_FOR_DOCUMENTS:
        detail = "only for " + ", ".join(sorted(purposes))
    else:
        status, detail = CheckStatus.PASSED, ", ".join(sorted(allowed or ())) or "not limited"
    return Check(name="key_usage", status=status, detail=detail)


def _strength(leaf: x509.Certificate, algorithms: Algorithms) -> Check:
    """Check that the policy lets the key carry a verdict, whatever digest goes with it."""
    key = leaf["tbs_certificate"]["subject_public_key_info"]
    kind = str(key["algorithm"]["algorithm"].native)
    family, digest = FAMILIES.get(kind, ("", ""))
    if not family:
        return Check(name="crypto_policy", status=CheckStatus.INDETERMINATE, detail=kind)
    bits = strength(family, key)
    refused = algorithms.refused(Scheme(family=family, digest=digest), bits)
    return Check(
        name="crypto_policy",
        status=CheckStatus.FAILED if refused else CheckStatus.PASSED,
        detail=refused or f"{kind} {bits}",
    )
