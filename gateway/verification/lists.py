"""Whether a trusted list may come in: its own signature, its signer, its place in the row.

A list decides who counts as accredited, so it is believed only as a whole, by a signer known
beforehand, and never an older one in place of a newer.
Source: ETSI TS 119 615 v1.2.1, clause 4.1; TS 119 612 v2.2.1, clauses 5.3.2 (sequence number),
5.3.14 (issue date) and 5.7.1 (signature).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from asn1crypto import x509

from gateway.algorithms.interface import Algorithms
from gateway.errors import NeedsOperator, Rejected
from gateway.model import CLOCK_TOLERANCE, CheckedSignature, CheckStatus, Indication, Part, Problem
from gateway.signatures.interface import forms
from gateway.trust.lists import NotAList, TrustedList, read_list
from gateway.trust.lists.signers import Signers
from gateway.verification.content import covers_whole

FORM = "xml"


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """A list that may come in."""

    found: TrustedList
    signer: bytes
    """The certificate that signed it, DER."""

    before: TrustedList | None
    """The newest snapshot of the same list so far."""

    @property
    def known(self) -> bool:
        """Whether this very list is here already."""
        return self.before is not None and self.before.sha256 == self.found.sha256

    def ended(self, now: datetime, age_max: timedelta) -> bool:
        """Return whether the list says nothing of certificates issued now."""
        return self.found.speaks_until(age_max) < now


def admit(
    octets: bytes,
    *,
    lists: Sequence[TrustedList],
    signers: Signers,
    given: Sequence[bytes] = (),
    algorithms: Algorithms,
    now: datetime,
) -> Admitted:
    """Return a list that may come in; `lists` are the snapshots here, the newest first.

    `given` are certificates that a person believes as of now.  Raises Rejected (SIG-240: no
    list, SIG-241: its signature, SIG-243: older than what is here) and NeedsOperator (SIG-242:
    signed by nobody who is known).
    """
    try:
        found = read_list(octets)
    except NotAList as error:
        raise Rejected(Problem(code="SIG-240", detail={"check": str(error)})) from error
    signature = _signature(octets, algorithms.at(now))
    if not any(_says_the_same(one.octets, found) for one in signature.covered if covers_whole(one)):
        raise _unsigned("the signature does not cover the whole list")
    signer = signature.certificate
    assert signer is not None, "A signature that holds has been found a key."
    _require_alive(signer, found)
    known = signers.of(found.source)
    if signer not in (*known, *given):
        detail = {"source": found.source, "sha256": sha256_of(signer), "known": str(len(known))}
        raise NeedsOperator(Problem(code="SIG-242", detail=detail))
    before = next((one for one in lists if one.source == found.source), None)
    _require_newer(found, before, now)
    return Admitted(found=found, signer=signer, before=before)


def sha256_of(certificate: bytes) -> str:
    """Return a certificate's fingerprint (hex) as authorities publish it."""
    return hashlib.sha256(certificate).hexdigest()


def _signature(octets: bytes, algorithms: Algorithms) -> CheckedSignature:
    """Return the one signature in a list.  Raises Rejected unless it holds."""
    document = Part(name="document", media_type="application/xml", body=octets)
    checked = forms()[FORM].check(document, (), algorithms)
    if len(checked) != 1:
        raise _unsigned(f"{len(checked)} signatures; one was expected")
    (only,) = checked
    if only.indication is not Indication.TOTAL_PASSED or only.certificate is None:
        bad = [one for one in only.checks if one.status is not CheckStatus.PASSED]
        why = f"{bad[0].name}: {bad[0].detail}" if bad else only.sub_indication or "no certificate"
        raise _unsigned(why)
    return only


def _says_the_same(signed: bytes, found: TrustedList) -> bool:
    """Return whether the signed octets say what the file says: nothing is read beside them."""
    try:
        return replace(read_list(signed), sha256=found.sha256) == found
    except NotAList:
        return False


def _require_alive(signer: bytes, found: TrustedList) -> None:
    certificate = x509.Certificate.load(signer, strict=True)
    if not certificate.not_valid_before <= found.issued_at <= certificate.not_valid_after:
        raise _unsigned("the signer's certificate was not valid on the list's date of issue")


def _require_newer(found: TrustedList, before: TrustedList | None, now: datetime) -> None:
    """Raise Rejected (SIG-243) for a list from the future, or from before what is here."""
    if found.issued_at > now + CLOCK_TOLERANCE:
        raise _out_of_turn(found, "—", "the list is dated after now")
    if before is None or found.sha256 == before.sha256:
        return
    here = _turn(before)
    if found.issued_at < before.issued_at:
        raise _out_of_turn(found, here, "an older date of issue")
    if found.sequence is not None and before.sequence is not None:
        if found.sequence < before.sequence:
            raise _out_of_turn(found, here, "an older number")
        if found.sequence == before.sequence:
            raise _out_of_turn(found, here, "the same number with other content")
    elif before.sequence is not None:
        raise _out_of_turn(found, here, "a list without its number")


def _turn(found: TrustedList) -> str:
    number = "—" if found.sequence is None else str(found.sequence)
    return f"{number}, {found.issued_at.isoformat()}"


def _out_of_turn(found: TrustedList, here: str, why: str) -> Rejected:
    detail = {"source": found.source, "found": _turn(found), "expected": here, "check": why}
    return Rejected(Problem(code="SIG-243", detail=detail))


def _unsigned(why: str) -> Rejected:
    return Rejected(Problem(code="SIG-241", detail={"check": why}))
