"""Which algorithms a verdict may rest on, and at which time: data, judged here.

The rules lie in `policy.toml`; `gateway verify --policy FILE` may lay rules of its own over
them, in the same shape under `[algorithms]`:

    [algorithms]
    name = "our archive"
    digests.sha1 = {}                       # accepted without an end
    digests.sha256 = { until = 2040-01-01 }
    keys = [{ families = ["rsa"], bits = 1024, until = 2030-01-01 }]

A digest named there has that rule instead of ours; a key family named there has those rules
alone.  `AlgorithmPolicy.laid_over` reads such a table and raises BadPolicy.

Source: ETSI TS 119 312 (suites); ETSI EN 319 102-1, clause 5.2.8 (cryptographic constraints).
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from typing import Any, Protocol

RULES_MAX = 500
"""No suite has as many; a file of rules has an end."""

_DATES = ("since", "until", "foreseen")


class BadPolicy(ValueError):
    """A table of rules is not one; the message says what is wrong, for whoever wrote it."""

    def __init__(self, place: str, ru: str, en: str) -> None:
        self.ru = f"{place}: {ru}"
        super().__init__(f"{place}: {en}")

    def say(self, language: str) -> str:
        return str(self) if language == "en" else self.ru


class SchemeLike(Protocol):
    """What is judged of a `Scheme`."""

    @property
    def family(self) -> str: ...

    @property
    def digest(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Rule:
    """From when until when one digest or one size of key may carry a verdict."""

    bits: int = 0
    """The least size of key it is for; 0 for digests."""

    since: date | None = None
    until: date | None = None
    """The first day it may no more."""

    foreseen: date | None = None
    """By when it will probably have to be replaced; refuses nothing."""

    def holds(self, at: datetime | None) -> bool:
        """Return whether something made at `at` may rest on it; None is no known time."""
        if at is None:
            return self.until is None
        day = at.astimezone(UTC).date()
        return (self.since is None or self.since <= day) and (
            self.until is None or day < self.until
        )


@dataclass(frozen=True, kw_only=True)
class AlgorithmPolicy:
    """The rules of one suite."""

    name: str
    digests: Mapping[str, Rule]
    keys: Mapping[str, tuple[Rule, ...]]
    """By key family (`interface.Scheme.family`), any order."""

    def judge(self, what: SchemeLike | str, bits: int, at: datetime | None) -> str | None:
        """Return why nothing made at `at` may rest on `what`, or None when it may.

        `what` is a digest's name (`bits` counts for nothing then) or a signature scheme with
        a key of `bits`.  `at` is the best signature time; None where no time is known at all,
        and then everything that has an end is refused.
        """
        if isinstance(what, str):
            rule = self.digests.get(what)
            return _refused(f"digest {what}", rule, at)
        return self.judge(what.digest, 0, at) or _refused(
            f"{what.family} key of {bits} bits", self._of_key(what.family, bits), at
        )

    def foreseen(self, what: SchemeLike | str, bits: int, after: date = date.min) -> date | None:
        """Return the day by which evidence resting on `what` should be renewed, if one is set.

        Only days later than `after` count.
        """
        if isinstance(what, str):
            rules = [self.digests.get(what)]
        else:
            rules = [self.digests.get(what.digest), self._of_key(what.family, bits)]
        days = [day for rule in rules if rule for day in (rule.until, rule.foreseen) if day]
        days = [day for day in days if day > after]
        return min(days, default=None)

    def laid_over(self, table: Mapping[str, Any]) -> AlgorithmPolicy:
        """Return this policy with the rules of `table` in place of its own.  Raises BadPolicy."""
        _require_known("", table, ("name", "digests", "keys"))
        name = table.get("name", self.name)
        if not isinstance(name, str) or not 0 < len(name) <= 100:
            raise BadPolicy(
                "name", "нужна строка до 100 знаков", "a text of at most 100 characters is expected"
            )
        digests, keys = _digests(table.get("digests", {})), _keys(table.get("keys", []))
        return replace(
            self,
            name=name,
            digests={**self.digests, **digests},
            keys={**self.keys, **keys},
        )

    def sha256(self) -> str:
        """Return a digest (hex) of the rules, in whatever order they were written."""
        lines = [self.name]
        lines += [f"{name} {rule}" for name, rule in self.digests.items()]
        lines += [f"{name} {rule}" for name, rules in self.keys.items() for rule in rules]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    def _of_key(self, family: str, bits: int) -> Rule | None:
        fitting = [rule for rule in self.keys.get(family, ()) if rule.bits <= bits]
        return max(fitting, key=lambda rule: rule.bits, default=None)


@cache
def standard() -> AlgorithmPolicy:
    """Return the policy that ships with the gateway."""
    text = resources.files("gateway.algorithms").joinpath("policy.toml").read_text("utf-8")
    return AlgorithmPolicy(name="", digests={}, keys={}).laid_over(tomllib.loads(text))


def permissive() -> AlgorithmPolicy:
    """Return the policy that takes whatever it knows at any time: for collections of old files.

    A verdict under it says that the mathematics hold, and no more.
    """
    ours = standard()
    return replace(
        ours,
        name="permissive",
        digests=dict.fromkeys(ours.digests, Rule()),
        keys=dict.fromkeys(ours.keys, (Rule(),)),
    )


def _refused(what: str, rule: Rule | None, at: datetime | None) -> str | None:
    if rule is None:
        return f"{what} is not in the policy"
    if rule.holds(at):
        return None
    if rule.until is not None and (at is None or at.astimezone(UTC).date() >= rule.until):
        return f"{what} carried until {rule.until.isoformat()}"
    assert rule.since is not None
    return f"{what} carries since {rule.since.isoformat()}"


def _digests(table: Any) -> dict[str, Rule]:
    if not isinstance(table, dict) or len(table) > RULES_MAX:
        raise BadPolicy("digests", "нужна таблица имён", "a table of names is expected")
    return {name: _rule(f"digests.{name}", written) for name, written in table.items()}


def _keys(rows: Any) -> dict[str, tuple[Rule, ...]]:
    if not isinstance(rows, list) or len(rows) > RULES_MAX:
        raise BadPolicy("keys", "нужен список правил", "a list of rules is expected")
    found: dict[str, list[Rule]] = {}
    for number, row in enumerate(rows):
        place = f"keys[{number}]"
        if not isinstance(row, dict):
            raise BadPolicy(place, "нужна таблица", "a table is expected")
        families, bits = row.get("families"), row.get("bits", 0)
        if not isinstance(families, list) or not _is_names(families):
            raise BadPolicy(f"{place}.families", "нужен список имён", "a list of names is expected")
        if not isinstance(bits, int) or isinstance(bits, bool) or bits < 0:
            raise BadPolicy(
                f"{place}.bits", "нужно целое число от 0", "a whole number from 0 is expected"
            )
        rest = {name: row[name] for name in row if name not in ("families", "bits")}
        rule = replace(_rule(place, rest), bits=bits)
        for family in families:
            found.setdefault(family, []).append(rule)
    return {family: tuple(rules) for family, rules in found.items()}


def _is_names(written: Sequence[Any]) -> bool:
    return bool(written) and all(isinstance(one, str) for one in written)


def _rule(place: str, written: Any) -> Rule:
    if not isinstance(written, dict):
        raise BadPolicy(place, "нужна таблица", "a table is expected")
    _require_known(f"{place}.", written, _DATES)
    for name, day in written.items():
        if not isinstance(day, date) or isinstance(day, datetime):
            raise BadPolicy(
                f"{place}.{name}",
                "нужна дата, например 2026-11-21",
                "a date is expected, such as 2026-11-21",
            )
    return Rule(**written)


def _require_known(before: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in table:
        if name not in known:
            listed = ", ".join(known)
            raise BadPolicy(
                f"{before}{name}",
                f"такого ключа нет; есть: {listed}",
                f"there is no such key, only: {listed}",
            )
