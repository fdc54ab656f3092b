"""Who is asking, and what that one may do.

A role gives scopes; a token may ask for fewer, never for more.  The FHIR scope is that of
SMART App Launch 2 (`system/*.rs`: read and search); its version 1 spelling is understood.

Source: RFC 6749 section 3.3; HL7 SMART App Launch 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import Rejected
from gateway.model import Problem

SUBMIT = "submissions.write"
FOLLOW = "submissions.read"
DRY_RUN = "checks.run"
REPAIR = "repairs.write"
CONSENT = "consents.write"
FHIR_READ = "system/*.rs"

SCOPES_BY_ROLE: dict[str, tuple[str, ...]] = {
    "laboratory": (SUBMIT, FOLLOW, DRY_RUN, REPAIR, CONSENT),
    "clinic": (FHIR_READ, DRY_RUN, CONSENT),
    "operator": (FOLLOW, DRY_RUN, REPAIR, CONSENT),
}

_SPELLINGS = {"system/*.read": FHIR_READ, "system/*.r": FHIR_READ, "system/*.s": FHIR_READ}


class Refused(Rejected):
    """The one who asks is not let through; `wait` is set when a later try may do better."""

    def __init__(self, code: str, wait: int | None = None, **detail: str) -> None:
        self.wait = wait
        super().__init__(Problem(code=code, place="Authorization", detail=detail))


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A client that proved who it is."""

    client: str
    organization: str
    role: str
    scopes: frozenset[str]

    @property
    def organizations(self) -> tuple[str, ...]:
        """Organisations whose submissions this client may see (semantics, rule 8)."""
        return (self.organization,)

    def require(self, scope: str) -> None:
        """Raise Refused (AUTH-104) unless the token carries `scope`."""
        if scope not in self.scopes:
            raise Refused("AUTH-104", scope=scope)


def granted(role: str, asked: str) -> tuple[str, ...]:
    """Return the scopes a client of `role` gets when it asks for `asked` (space separated).

    Nothing asked means all of the role's.  Raises Refused (AUTH-113) when a scope is
    asked for that the role does not have.

    >>> granted("clinic", "system/*.read")
    ('system/*.rs',)
    """
    all_of_role = SCOPES_BY_ROLE.get(role, ())
    wanted = [_SPELLINGS.get(scope, scope) for scope in asked.split()]
    if not set(wanted) <= set(all_of_role):
        raise Refused("AUTH-113")
    return tuple(dict.fromkeys(wanted)) or all_of_role
