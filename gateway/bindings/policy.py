"""Who must sign what, as data: by sending organisation and by kind of document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.model import Identifier

REFUSE, ASK = "refuse", "needs_info"
MISMATCHES = (REFUSE, ASK)
"""What a mismatch may come to."""

DOCTOR, ORGANISATION = "doctor", "organisation"
ROLES = (DOCTOR, ORGANISATION)


@dataclass(frozen=True, kw_only=True)
class BindingPolicy:
    """What is asked of an organisation's signatures."""

    mismatch: str = REFUSE
    required: tuple[str, ...] = ()
    """Roles that must have signed."""

    sends_for: tuple[Identifier, ...] = ()
    """Other organisations whose reports this one may send."""

    levels: tuple[str, ...] = ()
    """Levels a signature may have (`T`, `LT`, …); empty means any."""

    qualifications: tuple[str, ...] = ()
    """Qualifications a signature may have (`QES`, `AdES-QC`, `AdES`); empty means any."""

    powers: tuple[str, ...] = ()
    """Codes that a power of attorney must name where a person signs for the organisation under
    a certificate without it; empty asks for no power of attorney, and then none proves it."""


@dataclass(frozen=True, kw_only=True)
class DocumentRule:
    """What is asked of one kind of document, of one sender or of all."""

    kind: str = ""
    """Name of the document's format; empty means every kind."""

    sender: str = ""
    """Id of the sending organisation; empty means every one."""

    required: tuple[str, ...] | None = None
    levels: tuple[str, ...] | None = None
    qualifications: tuple[str, ...] | None = None
    powers: tuple[str, ...] | None = None
    """None leaves what the organisation's policy says."""

    def fits(self, organization: str, kind: str) -> bool:
        return self.kind in ("", kind) and self.sender in ("", organization)


@dataclass(frozen=True, kw_only=True)
class BindingPolicies:
    """The policy of each sending organisation, and rules for kinds of documents."""

    default: BindingPolicy = BindingPolicy()
    organizations: Mapping[str, BindingPolicy] = field(default_factory=dict)
    documents: tuple[DocumentRule, ...] = ()

    def of(self, organization: str, kind: str = "") -> BindingPolicy:
        """Return what is asked of a document of `kind` from the organisation with this id.

        The first rule that fits speaks; without a kind only the organisation's policy does.
        """
        policy = self.organizations.get(organization, self.default)
        for rule in self.documents if kind else ():
            if rule.fits(organization, kind):
                names = ("required", "levels", "qualifications", "powers")
                said = {name: getattr(rule, name) for name in names}
                return replace(policy, **{k: v for k, v in said.items() if v is not None})
        return policy
