"""What every signature form needs: a list of checks, and the verdict that follows from it.

A flaw is raised where it is found and recorded where the next independent check begins, so
one broken reference does not hide the verdict on the signature value.

Source: ETSI EN 319 102-1, clauses 5.1.3 (indications) and 5.3 (order of the blocks).
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator
from contextlib import contextmanager

from asn1crypto import keys

from gateway.algorithms.interface import Algorithms, Scheme, Unsupported
from gateway.model import Check, CheckedSignature, CheckStatus, Indication

FORMAT_FAILURE = "FORMAT_FAILURE"
HASH_FAILURE = "HASH_FAILURE"
SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"
TRY_LATER = "TRY_LATER"

OWN_CONTENT = "signs content of its own, not the document beside it"
"""A hint of forms; inside FHIR there is nothing beside, and it is taken back."""

MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""What asn1crypto raises for input that is not what it should be."""

BITS = {"gost256": 256, "gost512": 512, "gost2001": 256, "ed25519": 256, "ed448": 448}
"""Of the families whose keys have one size."""


class Flaw(Exception):
    """One check did not pass."""

    def __init__(self, check: Check, sub_indication: str) -> None:
        self.check = check
        self.sub_indication = sub_indication
        super().__init__(f"{check.name}: {check.detail}")


def failed(name: str, sub_indication: str, detail: str = "") -> Flaw:
    """Proof that something is wrong: TOTAL_FAILED."""
    return Flaw(Check(name=name, status=CheckStatus.FAILED, detail=detail), sub_indication)


def undecided(name: str, sub_indication: str, detail: str = "") -> Flaw:
    """Neither good nor bad: INDETERMINATE."""
    return Flaw(Check(name=name, status=CheckStatus.INDETERMINATE, detail=detail), sub_indication)


def not_done(name: str, sub_indication: str, detail: str = "") -> Flaw:
    """The check could not be carried out here: INDETERMINATE, and said so."""
    return Flaw(Check(name=name, status=CheckStatus.NOT_DONE, detail=detail), sub_indication)


class Checks:
    """The checks of one signature as they are made."""

    def __init__(self) -> None:
        self._made: list[Check] = []
        self._flaws: list[Flaw] = []

    def passed(self, name: str, detail: str = "") -> None:
        self._made.append(Check(name=name, status=CheckStatus.PASSED, detail=detail))

    def flawed(self, flaw: Flaw) -> None:
        self._made.append(flaw.check)
        self._flaws.append(flaw)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record a flaw raised inside and go on after the block."""
        try:
            yield
        except Flaw as flaw:
            self.flawed(flaw)

    @property
    def made(self) -> tuple[Check, ...]:
        return tuple(self._made)

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        return tuple(self._flaws)

    @property
    def indication(self) -> Indication:
        """TOTAL_PASSED only when at least one check was made and every one passed."""
        if any(flaw.check.status is CheckStatus.FAILED for flaw in self._flaws):
            return Indication.TOTAL_FAILED
        if self._flaws or not self._made:
            return Indication.INDETERMINATE
        return Indication.TOTAL_PASSED

    @property
    def sub_indication(self) -> str | None:
        """The first flaw of the kind that decided; a proof goes before a doubt."""
        for flaw in self._flaws:
            if flaw.check.status is CheckStatus.FAILED:
                return flaw.sub_indication
        return self._flaws[0].sub_indication if self._flaws else None


def refused(place: str, flaw: Flaw, form: str = "") -> CheckedSignature:
    """Return what is left of a signature at `place` that could not be read at all."""
    checks = Checks()
    checks.flawed(flaw)
    return CheckedSignature(
        format=form,
        level="",
        certificate=None,
        other_certificates=(),
        covered=(),
        claimed_at=None,
        checks=checks.made,
        indication=checks.indication,
        sub_indication=checks.sub_indication,
        place=place,
    )


def digest(algorithms: Algorithms, name: str, octets: bytes, check: str) -> bytes:
    """Return a digest, or raise the flaw that it could not be computed here."""
    try:
        return algorithms.digest(name, octets)
    except Unsupported as error:
        raise not_done(check, CRYPTO_CONSTRAINTS_FAILURE, f"digest {name} unsupported") from error
    except (RuntimeError, OSError) as error:
        raise _engine_failure(check, error) from error


def value_holds(
    algorithms: Algorithms, key: bytes, scheme: Scheme, octets: bytes, value: bytes
) -> bool:
    """Return whether a signature value holds, or raise the flaw that nobody here can tell."""
    try:
        return algorithms.verify(key, scheme, octets, value)
    except Unsupported as error:
        detail = f"{scheme.family} with {scheme.digest} unsupported"
        raise not_done("signature_value", CRYPTO_CONSTRAINTS_FAILURE, detail) from error
    except (RuntimeError, OSError) as error:
        raise _engine_failure("signature_value", error) from error


def strong_enough(algorithms: Algorithms, scheme: Scheme, key: keys.PublicKeyInfo) -> None:
    """Raise the flaw when the policy lets no verdict rest on this digest or this key."""
    try:
        bits = strength(scheme.family, key)
    except MALFORMED as error:
        raise failed("crypto_policy", SIG_CRYPTO_FAILURE, "unreadable key") from error
    reason = algorithms.refused(scheme, bits)
    if reason:
        raise undecided("crypto_policy", CRYPTO_CONSTRAINTS_FAILURE, reason)


def strength(family: str, key: keys.PublicKeyInfo) -> int:
    """Return the size of a key as the policy counts it, in bits."""
    return BITS[family] if family in BITS else int(key.bit_size)


def strong_digest(algorithms: Algorithms, name: str, check: str) -> None:
    """Raise the flaw when a digest is too weak to bind octets to anything."""
    reason = algorithms.refused(name)
    if reason:
        raise undecided(check, CRYPTO_CONSTRAINTS_FAILURE, reason)


def shown(name: str, known: Container[str], what: str = "algorithm") -> str:
    """Return a sender's name for something only if it is one of `known`; else its digest.

    Details go into problems and logs, and a name nobody knows may be a patient's.
    """
    if name in known:
        return name
    return (
        f"unknown {what} sha256:{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:16]}"
    )


def _engine_failure(check: str, error: Exception) -> Flaw:
    # A tool that broke says nothing of the signature; another try may tell.
    return not_done(check, TRY_LATER, f"engine failure: {type(error).__name__}")
