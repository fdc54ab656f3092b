"""Invented numbers with right check digits, and new ones in place of those in a sample."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from gateway.model import Identifier
from gateway.patients.identifiers import ENP, SNILS, check

SNILS_START, SNILS_DIGITS = 100_000_000, 2
ENP_START, ENP_DIGITS = 775_008_431_000_000, 1
_SEPARATOR = "[ -]?"


def numbered(system: str, start: str, digits: int) -> bytes:
    """Return the number that begins with `start` and ends with its own check digits.

    >>> numbered(SNILS, "112233445", 2)
    b'11223344595'
    """
    for end in range(10**digits):
        value = f"{start}{end:0{digits}d}"
        if check(Identifier(system=system, value=value)) is None:
            return value.encode()
    raise AssertionError(start)


def renewals(numbers: Iterable[str], new_uuid: Callable[[], str]) -> dict[str, str]:
    """Return a new number for each: СНИЛС and ЕНП by their length, else digit for digit."""
    return {number: _renewed(number, int(new_uuid().replace("-", ""), 16)) for number in numbers}


def renewed(octets: bytes, by: Mapping[str, str]) -> bytes:
    """Return the document with new numbers in the spelling the old ones had."""
    text = octets.decode()
    for old, new in by.items():
        pattern = _SEPARATOR.join(re.escape(sign) for sign in old)
        for written in set(re.findall(rf"(?<!\d){pattern}(?!\d)", text)):
            text = text.replace(written, _like(written, new))
    return text.encode()


def _renewed(number: str, chance: int) -> str:
    if re.fullmatch(r"\d{11}", number):
        return numbered(SNILS, str(SNILS_START + chance % (9 * SNILS_START)), SNILS_DIGITS).decode()
    if re.fullmatch(r"\d{16}", number):
        start = ENP_START + chance % 1_000_000
        return numbered(ENP, str(start), ENP_DIGITS).decode()
    digits = iter(f"{chance:040d}"[::-1])
    return re.sub(r"\d", lambda _: next(digits), number)


def _like(written: str, new: str) -> str:
    """Return `new` with the separators of `written`."""
    signs = iter(new)
    return "".join(sign if sign in " -" and sign not in new else next(signs) for sign in written)
