"""JSON laid out anew: the octets that the usual writers would have made of it."""

from __future__ import annotations

import json

import pytest

from gateway.signatures.json_layouts import layouts

VALUE = {
    "text": 'a, b: {"c\\" [1]} ',
    "of": [1, [], {}, {"deep": [[5]]}, None],
    "also": True,
    "я": "ж",
}
WRITTEN = [
    json.dumps(VALUE, ensure_ascii=False, **how).encode()  # type: ignore[arg-type]
    for how in ({"separators": (",", ":")}, {}, {"indent": 2}, {"indent": 4}, {"indent": "\t"})
]


@pytest.mark.parametrize("received", WRITTEN)
def test_every_usual_layout_is_found_from_every_other(received: bytes) -> None:
    found = list(layouts(received))
    assert set(WRITTEN) <= set(found)
    assert all(json.loads(one) == VALUE for one in found)


def test_numbers_keep_their_digits() -> None:
    assert all(b"5.00" in one for one in layouts(b'{"value": 5.00}'))


@pytest.mark.parametrize("octets", [b"", b"<a>{}</a>", b'"text"', b"5"])
def test_what_is_no_object_has_no_layout(octets: bytes) -> None:
    assert list(layouts(octets)) == []


@pytest.mark.parametrize("tail", [b'"' + b'\\"' * 50_000, b"]" * 50_000, b"{" * 50_000])
def test_octets_made_to_hurt_take_no_longer_than_their_size(tail: bytes) -> None:
    for one in layouts(b"{" + tail):
        assert one
