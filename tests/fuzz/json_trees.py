"""Changes of JSON and of compact JWS by structure; numbers keep their digits, names may repeat."""

from __future__ import annotations

import base64
import copy
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

STRANGE = (
    "", " ", "#", "#x", "Bundle", "Patient/1", "2026-02-30", "9999-12-31T23:59:60Z", "\u0000", "é",
    "none", "HS256", "ES256", "b64", "jwk", "x5c", "resourceType", "__proto__", "a" * 5000, "A==",
)  # fmt: skip
NUMBERS = ("5", "5.0", "-0", "1e400", "1E-400", "0.1", "9" * 40, "1e999999999", "NaN", "01", "+1")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]{40,}\Z")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{16,}\Z")

Inner = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


class NotJson(Exception):
    """Not JSON, or not a compact JWS."""


class Number(str):
    """A number as it was written."""


class Members(list[list[Any]]):
    """The members of an object in order: (name, value), and a name may come twice."""


def read(octets: bytes) -> Any:
    """Return the tree.  Raises NotJson."""
    try:
        return json.loads(
            octets,
            object_pairs_hook=lambda pairs: Members([list(pair) for pair in pairs]),
            parse_float=Number,
            parse_int=Number,
        )
    except (ValueError, RecursionError) as error:
        raise NotJson from error


def written(tree: Any) -> str:
    if isinstance(tree, Members):
        return "{" + ",".join(f"{json.dumps(n)}:{written(v)}" for n, v in tree) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(map(written, tree)) + "]"
    return str(tree) if isinstance(tree, Number) else json.dumps(tree, ensure_ascii=False)


def changed(octets: bytes, dice: random.Random, others: Sequence[bytes], inner: Inner) -> bytes:
    """Return the JSON with one thing changed; `inner` changes what base64 hides.

    Raises NotJson.
    """
    tree = read(octets)
    places = list(_places(tree))
    if not places:
        raise NotJson
    holder, at = dice.choice(places)
    match dice.randrange(9):
        case 0:
            del holder[at]
        case 1:
            holder.insert(dice.randint(0, len(holder)), copy.deepcopy(holder[at]))
        case 2:
            other = dice.randrange(len(holder))
            holder[at], holder[other] = holder[other], holder[at]
        case 3:
            _moved(holder, at, *dice.choice(places))
        case 4:
            _moved(holder, at, *_lent(dice, others, places))
        case 5:
            if isinstance(holder, Members):
                names = [p[0] for h, _ in places if isinstance(h, Members) for p in h]
                holder[at][0] = dice.choice((dice.choice(STRANGE), dice.choice(names)))
        case 6:
            deep = dice.choice((1, 2, 60, 3000))
            _set(holder, at, Number("[" * deep + written(_get(holder, at)) + "]" * deep))
        case 7:
            _inside(places, dice, others, inner)
        case _:
            _set(holder, at, _strange(dice))
    return written(tree).encode("utf-8", "surrogatepass")


def jws_changed(octets: bytes, dice: random.Random, others: Sequence[bytes], inner: Inner) -> bytes:
    """Return a compact JWS with one of its parts changed.  Raises NotJson."""
    parts = octets.split(b".")
    if len(parts) != 3:
        raise NotJson
    at = dice.choice((0, 0, 0, 1, 2))
    if dice.random() < 0.1:
        parts[at] = dice.choice(parts)
        return b".".join(parts)
    parts[at] = _url(inner(_from_url(parts[at].decode("ascii", "replace")), dice, others)).encode()
    return b".".join(parts)


def _places(tree: Any) -> Iterator[tuple[list[Any], int]]:
    if isinstance(tree, list):
        for at in range(len(tree)):
            yield tree, at
            yield from _places(_get(tree, at))


def _get(holder: list[Any], at: int) -> Any:
    return holder[at][1] if isinstance(holder, Members) else holder[at]


def _set(holder: list[Any], at: int, value: Any) -> None:
    if isinstance(holder, Members):
        holder[at][1] = value
    else:
        holder[at] = value


def _moved(holder: list[Any], at: int, donor: list[Any], there: int) -> None:
    _set(holder, at, copy.deepcopy(_get(donor, there)))


def _lent(
    dice: random.Random, others: Sequence[bytes], places: list[tuple[list[Any], int]]
) -> tuple[list[Any], int]:
    with suppress(NotJson, IndexError):
        places = list(_places(read(dice.choice(others)))) or places
    return dice.choice(places)


def _strange(dice: random.Random) -> Any:
    return dice.choice(
        (None, True, Members(), [], [None], dice.choice(STRANGE), Number(dice.choice(NUMBERS)))
    )


def _inside(
    places: list[tuple[list[Any], int]], dice: random.Random, others: Sequence[bytes], inner: Inner
) -> None:
    """Change what a string hides: base64, base64url, or a compact JWS."""
    dice.shuffle(places)
    for holder, at in places:
        text = _get(holder, at)
        if not isinstance(text, str) or isinstance(text, Number) or len(text) < 16:
            continue
        if _BASE64.match(text) and len("".join(text.split())) % 4 == 0:
            hidden = base64.b64decode(text)
            _set(holder, at, base64.b64encode(inner(hidden, dice, others)).decode())
            return
        if _BASE64URL.match(text):
            _set(holder, at, _url(inner(_from_url(text), dice, others)))
            return


def _from_url(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise NotJson from error


def _url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
