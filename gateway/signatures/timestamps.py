"""Time-stamp tokens: what they stamp, and the authority's signature over that.

The authority's certificate is only named here; whether anybody believes it is for `trust`.

Source: RFC 3161, sections 2.4.2 and 2.4.1; RFC 5816 (ESSCertIDv2); ETSI EN 319 422.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from asn1crypto import cms, core, tsp

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedSignature, CheckedTimestamp, Indication
from gateway.signatures import ber, certificates, cms_file, findings
from gateway.signatures.cms_signer import Signer
from gateway.signatures.directory import NOBODY, Directory
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    HASH_FAILURE,
    MALFORMED,
    SIG_CONSTRAINTS_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    Checks,
    Flaw,
    failed,
    undecided,
)

TST_INFO = "1.2.840.113549.1.9.16.1.4"
UNREAD = datetime(9999, 1, 1, tzinfo=UTC)
"""The moment of a token that could not be read: later than anything, so it proves nothing."""

TOKEN_BYTES_MAX = 1 << 20
"""Tokens are some kilobytes; one with its lists of revoked certificates some hundred."""


class TimeStampResp(core.Sequence):  # type: ignore[misc]
    """RFC 3161, section 2.4.2; asn1crypto's own does not know answers without a token."""

    _fields = [  # noqa: RUF012 (asn1crypto's way to declare a structure)
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


def check_token(
    token: bytes,
    stamped: bytes | None,
    kind: str,
    algorithms: Algorithms,
    known: Sequence[bytes] = (),
    digests: dict[str, bytes] | None = None,
    *,
    directory: Directory = NOBODY,
) -> CheckedTimestamp:
    """Check a TimeStampToken (ContentInfo, BER or DER) over the octets `stamped`.

    `stamped` is None where nobody has them: SIGNED_DATA_NOT_FOUND.
    `kind` is `content`, `signature`, `references` or `archive`.  `known` are certificates
    (DER) among which the authority's may be when the token does not bring it, and `directory`
    has those at hand that it may name.  `digests` are
    those of `stamped` computed already, by name; new ones are added.
    Never raises for bad input: what cannot be read is TOTAL_FAILED with FORMAT_FAILURE, an
    imprint of other octets is HASH_FAILURE, a broken signature SIG_CRYPTO_FAILURE, and an
    imprint too weak to rest anything on INDETERMINATE with CRYPTO_CONSTRAINTS_FAILURE.
    """
    checks = Checks()
    at = UNREAD
    signature: CheckedSignature | None = None
    try:
        signed = _opened(token, known)
        signer = Signer(signed, signed.signers[0], None, algorithms, {}, TST_INFO, directory)
        checks = signer.checks
        signature = signer.check("")
        content = _read(signed)
        at = _generated(content)
        with checks.recording():
            _imprint(content, stamped, algorithms, {} if digests is None else digests)
            checks.passed("message_imprint")
        with checks.recording():
            _extensions(content)
    except Flaw as flaw:
        checks.flawed(flaw)
    except MALFORMED:
        checks.flawed(failed("format", FORMAT_FAILURE, "not readable as a time-stamp token"))
    return CheckedTimestamp(
        kind=kind,
        at=at,
        certificate=signature.certificate if signature is not None else None,
        other_certificates=signature.other_certificates if signature is not None else (),
        checks=checks.made,
        indication=checks.indication,
        sub_indication=checks.sub_indication,
        sha256=digest_of(token),
    )


def unproven(kind: str, flaw: Flaw, at: datetime = UNREAD) -> CheckedTimestamp:
    """Return what stands for a time stamp that proves nothing, and why."""
    checks = Checks()
    checks.flawed(flaw)
    return CheckedTimestamp(
        kind=kind,
        at=at,
        certificate=None,
        other_certificates=(),
        checks=checks.made,
        indication=checks.indication,
        sub_indication=checks.sub_indication,
    )


def digest_of(token: bytes) -> str:
    """Return the digest by which a token is told from others."""
    return hashlib.sha256(token).hexdigest()


def check_token_over(
    token: bytes,
    digest: str,
    imprint: bytes,
    kind: str,
    algorithms: Algorithms,
    known: Sequence[bytes] = (),
    directory: Directory = NOBODY,
) -> CheckedTimestamp:
    """Check a TimeStampToken whose imprint should be `imprint`, computed by `digest`.

    As `check_token`; an imprint by another digest is HASH_FAILURE.
    """
    digests = {digest: imprint}
    checked = check_token(token, b"", kind, algorithms, known, digests, directory=directory)
    if set(digests) == {digest}:
        return checked
    # The token's own digest was computed, and not over what it should be.
    flaw = failed("message_imprint", HASH_FAILURE, "stamps by another digest")
    return replace(
        checked,
        checks=(*checked.checks, flaw.check),
        indication=Indication.TOTAL_FAILED,
        sub_indication=flaw.sub_indication,
    )


def time_of(token: bytes) -> datetime:
    """Return the time that a token bears, unchecked; UNREAD where it cannot be read."""
    try:
        return _generated(_read(_opened(token, ())))
    except (Flaw, *MALFORMED):
        return UNREAD


def _opened(token: bytes, known: Sequence[bytes]) -> cms_file.SignedData:
    if len(token) > TOKEN_BYTES_MAX:
        raise failed("format", FORMAT_FAILURE, "a token larger than any")
    signed = cms_file.opened(token)
    if len(signed.signers) != 1:
        # RFC 3161, 2.4.2: no signatures other than the authority's.
        raise failed("format", FORMAT_FAILURE, f"{len(signed.signers)} signers of a token")
    if signed.content_type != TST_INFO or signed.content is None:
        raise failed("format", FORMAT_FAILURE, "not a time-stamp token")
    brought = {one.dump() for one in signed.certificates}
    more = [one for one in certificates.read_all(known) if one.dump() not in brought]
    signed.certificates.extend(more)
    return signed


def _read(signed: cms_file.SignedData) -> tsp.TSTInfo:
    assert signed.content is not None
    if not ber.walk(signed.content):
        raise failed("format", FORMAT_FAILURE, "TSTInfo is not DER")
    content = tsp.TSTInfo.load(signed.content, strict=True)
    if content["version"].native != "v1":
        raise failed("format", FORMAT_FAILURE, "unknown version of TSTInfo")
    return content


def _generated(content: tsp.TSTInfo) -> datetime:
    moment = content["gen_time"].native
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise failed("format", FORMAT_FAILURE, "genTime is not in UTC")
    return moment.astimezone(UTC)


def _imprint(
    content: tsp.TSTInfo, stamped: bytes | None, algorithms: Algorithms, digests: dict[str, bytes]
) -> None:
    if stamped is None:
        raise undecided("message_imprint", SIGNED_DATA_NOT_FOUND, "what it stamps is elsewhere")
    imprint = content["message_imprint"]
    name = str(imprint["hash_algorithm"]["algorithm"].native)
    if name not in digests:
        digests[name] = findings.digest(algorithms, name, stamped, "message_imprint")
    if imprint["hashed_message"].native != digests[name]:
        raise failed("message_imprint", HASH_FAILURE, "stamps other octets")
    findings.strong_digest(algorithms, name, "message_imprint")


def _extensions(content: tsp.TSTInfo) -> None:
    extensions: Any = content["extensions"].native or ()
    if any(one["critical"] for one in extensions):
        raise undecided("format", SIG_CONSTRAINTS_FAILURE, "critical extension of the token")
