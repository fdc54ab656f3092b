"""Units of measurement: what laboratories write → one UCUM code.

Look-up only: no number is converted, and what the laboratory wrote stays as Quantity.unit.

Source: UCUM; НСИ 1.2.643.5.1.13.13.11.1358 (by id: its short names and UCUM strings repeat).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.mapping.values import LOOK_ALIKES

UCUM = "http://unitsofmeasure.org"
NSI = "urn:oid:1.2.643.5.1.13.13.11.1358"

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_RAISED = re.compile(r"(?:\^|\*\*?)?([⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_POWER = re.compile(r"^[x×х*·]?10(?:\^|\*\*?|е|e)(\d+)")


@dataclass(frozen=True, kw_only=True)
class Unit:
    ucum: str
    nsi: str | None
    ru: str
    also: tuple[str, ...] = ()


class Units:
    """The table of units with its look-ups."""

    def __init__(self, units: Iterable[Unit], ambiguous: Iterable[str] = ()) -> None:
        self.all = tuple(units)
        self._ambiguous = frozenset(ambiguous)
        self._exact = {unit.ucum: unit for unit in self.all}
        self._nsi = {unit.nsi: unit for unit in self.all if unit.nsi}
        self._folded: dict[str, Unit] = {}
        for unit in self.all:
            for spelling in (unit.ucum, unit.ru, *unit.also):
                other = self._folded.setdefault(fold(spelling), unit)
                if other is not unit:
                    raise ValueError(f"{spelling!r} is both {other.ucum} and {unit.ucum}")

    def find(self, text: str) -> Unit | None:
        """Return the unit that `text` spells, or None when none or more than one."""
        if text in self._ambiguous:
            return None
        return self._exact.get(text) or self._folded.get(fold(text))

    def by_nsi(self, id_: str) -> Unit | None:
        """Return the unit with this id in НСИ 1358, or None."""
        return self._nsi.get(id_)


def fold(text: str) -> str:
    """Return a unit's spelling as it is looked up.

    >>> fold("×10⁹/л") == fold("10*9/л") == fold("10^9 / Л")
    True
    """
    text = _RAISED.sub(lambda found: "^" + found[1].translate(_SUPERSCRIPTS), text)
    text = "".join(text.casefold().split()).rstrip(".")
    text = _POWER.sub(r"10^\1", text)
    return text.translate(LOOK_ALIKES)
