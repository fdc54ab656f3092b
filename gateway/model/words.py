"""Words that stand for states and kinds, and JSON as the gateway holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

Json = dict[str, "JsonValue"]
JsonValue = None | bool | int | Decimal | str | list["JsonValue"] | Json


class Status(StrEnum):
    """State of a submission or of one of its documents (contract, section 4)."""

    RECEIVED = "received"
    PROCESSING = "processing"
    NEEDS_INFO = "needs_info"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"


class DeliveryState(StrEnum):
    """State of one delivery of one document to one destination (contract, section 4)."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    REGISTERED = "registered"
    REFUSED = "refused"
    DEAD = "dead"
    HELD = "held"


class Indication(StrEnum):
    """The three verdicts of ETSI EN 319 102-1, clause 5.1.3."""

    TOTAL_PASSED = "TOTAL_PASSED"
    INDETERMINATE = "INDETERMINATE"
    TOTAL_FAILED = "TOTAL_FAILED"


class CheckStatus(StrEnum):
    """Outcome of one itemised check of a verification."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"
    NOT_DONE = "NOT_DONE"


class Assurance(StrEnum):
    """How sure we are that the author said it; no mapping raises it (semantics, rule 1)."""

    SIGNED_QUALIFIED = "signed-qualified"
    SIGNED = "signed"
    TRANSCRIBED = "transcribed"
    CHANNEL = "channel"
    PATIENT_ASSERTED = "patient-asserted"


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """An identifier in its one normal form."""

    system: str
    """Canonical system URI (`urn:oid:1.2.643.100.3` for СНИЛС); see patients.identifiers."""

    value: str
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One finding the outside world must or may act on; never holds a patient's data.

    `detail` fills the `{placeholders}` of the code's text in `errors.toml`: codes, paths,
    counts and type names only.
    """

    code: str
    place: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)
    warning: bool = False
