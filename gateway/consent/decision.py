"""May the patient's data go to this recipient: the decision, and what it rests on.

Pure: the grants come in, the decision goes out; `store` asks again under the patient's lock
when it writes and when a delivery leaves (semantics, rules 9 and 14).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime

from gateway.model import ConsentDecision, Grant

TREATMENT = "TREAT"
"""HL7 v3 ActReason: results go to clinics for treatment."""

PATIENT_REQUEST = "PATRQT"
"""HL7 v3 ActReason: the patient asked for it."""

ANY = "*"
"""In a refusal: every recipient, every purpose."""


def decide(grants: Sequence[Grant], recipient: str, purpose: str, at: datetime) -> ConsentDecision:
    """Return whether `grants`, all of one patient, permit `recipient` anything at `at`.

    Of the statements about this recipient and purpose that are in force at `at`, the one
    said last prevails: a later refusal closes what an earlier consent opened, and a later
    consent opens it again; one about named tests does so for these tests only.  A grant
    holds from `valid_from` on and ends before `valid_to`.  Without grants the answer is no,
    on the basis `none`.
    """
    version = max((grant.version for grant in grants), default=0)
    spoken = _spoken(grants, recipient, purpose, at)
    whole = max((place for place, one in enumerate(spoken) if not one.tests), default=-1)
    base = spoken[whole] if whole >= 0 and _opens(spoken[whole]) else None
    exceptions = [one for one in spoken[whole + 1 :] if _opens(one) != (base is not None)]
    resting = base or (exceptions[-1] if exceptions else None)
    if resting is None:
        return ConsentDecision(permitted=False, basis="none", version=version)
    return ConsentDecision(
        permitted=True,
        basis="consent",
        reference=resting.id,
        version=version,
        partial=bool(exceptions),
    )


def permits(
    grants: Sequence[Grant], recipient: str, purpose: str, at: datetime, tests: Set[str]
) -> bool:
    """Return whether one result may go: `tests` are all the codes it is known by.

    The statement said last about any of these codes, or about all tests, prevails.
    """
    spoken = _spoken(grants, recipient, purpose, at)
    about = [one for one in spoken if not one.tests or not tests.isdisjoint(one.tests)]
    return bool(about) and _opens(about[-1])


def refused(grants: Sequence[Grant], recipient: str, purpose: str, at: datetime) -> bool:
    """Return whether a refusal is in force and nothing said since opens again."""
    spoken = _spoken(grants, recipient, purpose, at)
    return bool(spoken) and not decide(grants, recipient, purpose, at).permitted


def _spoken(grants: Sequence[Grant], recipient: str, purpose: str, at: datetime) -> list[Grant]:
    """Return the statements in force about a recipient and purpose, the last one last."""
    found = [
        grant
        for grant in grants
        if grant.recipient in (recipient, ANY)
        and grant.purpose in (purpose, ANY)
        and grant.state in ("active", "rejected")
        and grant.valid_from <= at
        and (grant.valid_to is None or at < grant.valid_to)
    ]
    return sorted(found, key=lambda grant: (grant.version, grant.id, grant.ordinal))


def _opens(grant: Grant) -> bool:
    return grant.state == "active" and not grant.deny
