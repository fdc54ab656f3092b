"""A time-stamp token in a file of its own: beside the document it stamps, or alone.

It proves when the document was there, and nobody signed it by that: it never passes.

Source: RFC 3161, sections 2.4.2 and 3.3 (tokens and answers in files).
"""

from __future__ import annotations

import re

from gateway.algorithms.interface import Algorithms
from gateway.model import CheckedSignature, CheckedTimestamp, CheckStatus, Covered, Part
from gateway.signatures import ber, cms_file
from gateway.signatures.directory import Directory
from gateway.signatures.findings import SIG_CONSTRAINTS_FAILURE, Checks, undecided
from gateway.signatures.timestamps import TST_INFO, check_token

FORMAT = "RFC3161"
_GRANTED = re.compile(
    rb"\x30(?:[\x00-\x7f]|\x81.|\x82..|\x83...)\x30[\x03-\x7f]\x02\x01[\x00\x01]", re.DOTALL
)
"""How an answer begins that brings a token: a PKIStatus of 0 or 1, granted."""


def is_answer(head: bytes) -> bool:
    """Say whether octets begin as a TimeStampResp does that brings a token."""
    return _GRANTED.match(head) is not None


def token_in(octets: bytes) -> bytes:
    """Return the token that a TimeStampResp brings; any other octets as they are."""
    if not is_answer(octets[:16]):
        return octets
    try:
        ber.walk(octets)
        _, *token = ber.elements(ber.contents(octets))
    except ber.NotStrict:
        return octets
    return token[0] if len(token) == 1 else octets


def is_token(signed: cms_file.SignedData) -> bool:
    """Say whether a CMS file is a time-stamp token."""
    return signed.content_type == TST_INFO


def check(
    token: bytes,
    place: str,
    beside: Part | None,
    algorithms: Algorithms,
    digests: dict[str, bytes],
    directory: Directory,
) -> CheckedSignature:
    """Check a token at `place` over the document `beside` it.

    `digests` are those of the document computed already, by name; new ones are added.
    `directory` has the certificates at hand that the token may name.
    """
    stamped = beside.body if beside is not None else None
    stamp = check_token(token, stamped, "content", algorithms, digests=digests, directory=directory)
    checks = Checks()
    checks.flawed(undecided("format", SIG_CONSTRAINTS_FAILURE, "a time stamp alone: nobody signed"))
    covered: tuple[Covered, ...] = ()
    if beside is not None and _holds_over_document(stamp):
        media_type = beside.media_type
        whole = Covered(
            octets=beside.body, scope="FULL", covers_enclosing=True, media_type=media_type
        )
        covered = (whole,)
    first = stamp if stamp.sub_indication else checks
    return CheckedSignature(
        format=FORMAT,
        level="",
        certificate=None,
        other_certificates=(),
        covered=covered,
        claimed_at=None,
        checks=(*stamp.checks, *checks.made),
        indication=first.indication,
        sub_indication=first.sub_indication,
        place=place,
        timestamps=(stamp,),
    )


def _holds_over_document(stamp: CheckedTimestamp) -> bool:
    passed = {check.name for check in stamp.checks if check.status is CheckStatus.PASSED}
    return {"message_imprint", "signature_value"} <= passed
