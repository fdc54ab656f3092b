"""What a path must satisfy beyond being right: the user's inputs to path validation.

Source: RFC 5280, section 6.1.1 (d)–(g); EN 319 102-1, clause 5.2.5 (freshness).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

ANY_POLICY = "2.5.29.32.0"
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
    `revocation_hours_max`.
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
    hours = values.pop("revocation_hours_max", None)
    if hours is not None and (isinstance(hours, bool) or not isinstance(hours, int) or hours < 1):
        raise ValueError("revocation_hours_max: expected a whole number of hours from 1 up")
    if values:
        raise ValueError(f"{min(values)}: no such key")
    return PathPolicy(
        policies=frozenset(policies),
        revocation_age_max=None if hours is None else timedelta(hours=hours),
        **{name: bool(value) for name, value in flags.items()},
    )


def _is_identifier(text: object) -> bool:
    return isinstance(text, str) and _OID.fullmatch(text) is not None
