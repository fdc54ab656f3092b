"""What a path must satisfy beyond being right: the user's inputs to path validation.

Source: RFC 5280, section 6.1.1 (d)–(g); EN 319 102-1, clause 5.2.5 (freshness).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

ANY_POLICY = "2.5.29.32.0"
WHOLE_MAX = 100_000
"""Hours or days; eleven years of hours."""

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*)){1,31}")
_FLAGS = (
    "explicit_policy",
    "policy_mapping_inhibited",
    "any_policy_inhibited",
    "silent_responders",
)


@dataclass(frozen=True, kw_only=True)
class PathPolicy:
    """Inputs of path validation; the default asks for nothing that a path does not itself."""

    policies: frozenset[str] = frozenset({ANY_POLICY})
    """user-initial-policy-set: identifiers of the certificate policies that are accepted."""

    explicit_policy: bool = False
    """A path must be valid for at least one of `policies`."""

    policy_mapping_inhibited: bool = False
    any_policy_inhibited: bool = False

    revocation_age_max: timedelta | None = None
    """A list or an answer that was issued longer before the moment of judgement is not fresh,
    whatever end it states; None leaves it to the end it states."""

    list_age_max: timedelta = timedelta(days=30)
    """How long after its day a trusted list that announces no update speaks of certificates."""

    silent_responders: bool = False
    """An OCSP responder whose certificate names no way to ask about it is believed while it
    lives (RFC 6960, section 4.2.2.2.1, leaves this to the client)."""

    weak_algorithms: bool = False
    """DSA, SHA-1, MD5 and short RSA keys may pass in a path: for old collections, never for
    what is decided on today."""


def read_policy(table: Mapping[str, object]) -> PathPolicy:
    """Return the policy in a table of the configuration.

    Keys: `policies` (list of dotted identifiers), `explicit_policy`,
    `policy_mapping_inhibited`, `any_policy_inhibited`, `silent_responders`,
    `revocation_hours_max`, `list_days_max`.
    Raises ValueError for anything else, naming the key.
    """
    values = dict(table)
    policies = values.pop("policies", [ANY_POLICY])
    if not isinstance(policies, list) or not policies or not all(map(_is_identifier, policies)):
        raise ValueError("policies: expected a list of dotted object identifiers")
    flags = {}
    for name in _FLAGS:
        flags[name] = values.pop(name, False)
        if not isinstance(flags[name], bool):
            raise ValueError(f"{name}: expected true or false")
    hours = _whole(values, "revocation_hours_max")
    days = _whole(values, "list_days_max")
    if values:
        raise ValueError(f"{min(values)}: no such key")
    return PathPolicy(
        policies=frozenset(policies),
        revocation_age_max=None if hours is None else timedelta(hours=hours),
        list_age_max=timedelta(days=days) if days else PathPolicy.list_age_max,
        **{name: bool(value) for name, value in flags.items()},
    )


def _whole(values: dict[str, object], key: str) -> int | None:
    number = values.pop(key, None)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= WHOLE_MAX:
        raise ValueError(f"{key}: expected a whole number from 1 to {WHOLE_MAX}")
    return number


def _is_identifier(text: object) -> bool:
    return isinstance(text, str) and _OID.fullmatch(text) is not None
