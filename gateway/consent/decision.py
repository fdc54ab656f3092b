"""May the patient's data go to this recipient: the decision, and what it rests on.

Pure: the grants come in, the decision goes out; `store` re-checks the version it was taken
at when it writes (semantics, rules 9 and 14).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.model import ConsentDecision
from gateway.store.values import Grant


def decide(grants: Sequence[Grant], recipient: str, purpose: str, at: datetime) -> ConsentDecision:
    """Return whether `grants`, all of one patient, permit `recipient` at `at`.

    Of the statements about this recipient and purpose that are in force at `at`, the one
    of the highest version prevails: a later refusal (`rejected`) closes what an earlier consent
    opened, and a later consent opens it again.  A grant holds from `valid_from` on and
    ends before `valid_to`.  Without grants the answer is no, on the basis `none`.
    """
    version = max((grant.version for grant in grants), default=0)
    spoken = [
        grant
        for grant in grants
        if grant.recipient == recipient
        and grant.purpose == purpose
        and grant.state in ("active", "rejected")
        and _in_force(grant, at)
    ]
    last = max(spoken, key=lambda grant: (grant.version, grant.id), default=None)
    if last is None or last.state != "active":
        return ConsentDecision(permitted=False, basis="none", version=version)
    return ConsentDecision(permitted=True, basis="consent", reference=last.id, version=version)


def _in_force(grant: Grant, at: datetime) -> bool:
    return grant.valid_from <= at and (grant.valid_to is None or at < grant.valid_to)
