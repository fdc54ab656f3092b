"""What the verifier says of a check, in the language of whoever reads it.

Details of checks and hints arise in English, and evidence, JSON and logs keep them so.  Where
one is shown to a person, `say` finds the English sentence it was made by and gives its Russian
one.  The sentences are data in `sentences.toml`; what varies stands in both as a `{place}`:

    {number}          digits, as they are
    {time}            a moment in ISO 8601, shown as every other moment of a report; `—` for none
    {name}, {name2}   one word, as it is
    {quote}, {names}  anything else, as it is
    {text}            another sentence of ours, said in the same language where it is known

A detail may quote a stranger's file, so matching takes time that grows with its length alone,
and what no sentence fits stays English.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from string import Formatter

CHARACTERS_MAX = 4096
"""No detail of ours is as long; a longer text stays as it is."""

DEPTH_MAX = 4
"""Sentences within one another: a hint quotes a detail, and that may quote a reason."""

NONE = "—"
LIST_MAX = 32
"""Names in one list."""


def say(text: str, language: str) -> str:
    """Return a detail or a hint in `language` (`ru` or `en`); as it is where it is not known.

    >>> say("more than 32", "ru"), say("more than 32", "en")
    ('больше 32', 'more than 32')
    """
    if language == "en" or not text or len(text) > CHARACTERS_MAX:
        return text
    return _said(text, 0) or text


def moment(at: datetime) -> str:
    """Return a moment as reports show it.

    >>> moment(datetime(2026, 11, 21, 15, 4, 5, tzinfo=UTC))
    '2026-11-21 15:04:05 UTC'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@dataclass(frozen=True)
class Sentence:
    """An English sentence with places, and the Russian one."""

    english: str
    russian: str
    pieces: tuple[str, ...]
    """What stands around the places: one more than there are places."""

    places: tuple[str, ...]

    def read(self, text: str) -> dict[str, str] | None:
        """Return what stands in the places of `text`; None for another sentence.

        Each piece is taken where it first fits: nothing is ever tried twice.
        """
        if not self.places:
            return {} if text == self.english else None
        begin, *between, end = self.pieces
        last = len(text) - len(end)
        if not (text.startswith(begin) and text.endswith(end) and len(begin) <= last):
            return None
        found, start = [], len(begin)
        for piece in between:
            stop = text.find(piece, start, last)
            if stop < 0:
                return None
            found.append(text[start:stop])
            start = stop + len(piece)
        values = dict(zip(self.places, (*found, text[start:last]), strict=True))
        return values if all(_fits(kind_of(place), values[place]) for place in values) else None


def sentence(english: str, russian: str) -> Sentence:
    """Return a sentence read from its two texts."""
    parts = list(Formatter().parse(english))
    places = tuple(place for _, place, _, _ in parts if place is not None)
    pieces = [literal for literal, _, _, _ in parts]
    if len(pieces) == len(places):
        pieces.append("")
    return Sentence(english=english, russian=russian, pieces=tuple(pieces), places=places)


def kind_of(place: str) -> str:
    """Return the kind of a place: its name without the number that tells two apart.

    >>> kind_of("text2")
    'text'
    """
    return place.rstrip("0123456789")


@cache
def table() -> Mapping[str, Mapping[str, str]]:
    """Return all sentences by group: English to Russian."""
    file = Path(__file__).parent / "sentences.toml"
    found: Mapping[str, Mapping[str, str]] = tomllib.loads(file.read_text("utf-8"))
    return found


@dataclass(frozen=True)
class _Known:
    fixed: Mapping[str, str]
    """Sentences without places."""

    open: tuple[Sentence, ...]
    """Those with places; the one that says most by itself comes first."""


@cache
def _known() -> _Known:
    texts = {english: russian for group in table().values() for english, russian in group.items()}
    several = [sentence(english, russian) for english, russian in texts.items()]
    several = [one for one in several if one.places]
    several.sort(key=lambda one: sum(map(len, one.pieces)), reverse=True)
    for one in several:
        del texts[one.english]
    return _Known(fixed=texts, open=tuple(several))


def _said(text: str, depth: int) -> str | None:
    """Return `text` in Russian; None where no sentence is known for it."""
    known = _known()
    if text in known.fixed:
        return known.fixed[text]
    names = text.split(", ", LIST_MAX)
    if all(name in known.fixed for name in names):
        return ", ".join(known.fixed[name] for name in names)
    for one in known.open:
        values = one.read(text)
        if values is not None:
            shown = {place: _shown(place, value, depth) for place, value in values.items()}
            return one.russian.format_map(shown)
    return None


def _shown(place: str, value: str, depth: int) -> str:
    kind = kind_of(place)
    if kind == "time":
        return _time(value) or value
    if kind == "text" and depth < DEPTH_MAX:
        return _said(value, depth + 1) or value
    return value


def _fits(kind: str, value: str) -> bool:
    if kind == "number":
        return value.isascii() and value.isdigit()
    if kind == "time":
        return _time(value) is not None
    return bool(value) and (kind != "name" or not any(map(str.isspace, value)))


def _time(value: str) -> str | None:
    """Return how a report shows a moment, or a day, written in ISO 8601; None for no such thing."""
    try:
        at = datetime.fromisoformat(value)
        return moment(at) if at.tzinfo else value
    except (ValueError, OverflowError):
        return value if value == NONE else None
