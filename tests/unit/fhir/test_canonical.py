"""Canonical JSON: one form per value, nothing lost that was meant, nothing guessed."""

from __future__ import annotations

import pytest
import rfc8785

from gateway.fhir import canonical, text


def test_members_are_ordered_and_spaces_go() -> None:
    read = text.loads(b'{ "b": [1, true, null], "a": {"d": "\\u0401", "c": 2.50} }')
    assert canonical.canonical(read) == '{"a":{"c":2.5,"d":"Ё"},"b":[1,true,null]}'.encode()


def test_members_are_ordered_by_utf_16_units() -> None:
    """A letter beyond the first plane goes before U+FB33, which is later in UTF-8."""
    read = text.loads('{"\ufb33": 1, "\U0001f600": 2, "ö": 3}'.encode())
    assert canonical.canonical(read) == '{"ö":3,"\U0001f600":2,"\ufb33":1}'.encode()


def test_strings_are_escaped_as_the_standard_says() -> None:
    value = "".join(map(chr, [*range(1, 0x30), 0x7F, 0x80, 0x2028, 0x1F600])) + '"\\'
    assert canonical.canonical({"a": value}) == rfc8785.dumps({"a": value})


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("5.00", "5"),
        ("0.40", "0.4"),
        ("1e5", "100000"),
        ("1E-7", "1e-7"),
        ("0.000001", "0.000001"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1e21", "1e+21"),
        ("9007199254740991", "9007199254740991"),
        ("4.35", "4.35"),
    ],
)
def test_numbers_are_printed_as_a_double_prints_them(written: str, form: str) -> None:
    read = text.loads(f'{{"a":{written}}}'.encode())
    assert canonical.canonical(read) == f'{{"a":{form}}}'.encode()


@pytest.mark.parametrize("written", ["0.10000000000000000001", "5.000000000000000001"])
def test_a_decimal_that_a_double_would_change_is_refused_with_its_place(written: str) -> None:
    """Two values with one canonical form could be exchanged under one signature."""
    read = text.loads(f'{{"a":[1,{{"b":{written}}}]}}'.encode())
    with pytest.raises(canonical.NotExact) as caught:
        canonical.canonical(read)
    assert caught.value.place == "/a/1/b"


def test_precision_that_is_not_signed_is_counted() -> None:
    read = text.loads(b'{"a":5.00,"b":[5.1,{"c":1e5,"d":7}]}')
    assert canonical.unsigned_precision(read) == 2


@pytest.mark.parametrize(
    ("method", "kept"),
    [
        ("json", {"id", "meta", "text", "entry"}),
        ("json#data", {"id", "meta", "entry"}),
        ("json#static", {"id", "entry"}),
        ("json#document", {"text", "entry"}),
    ],
)
def test_each_method_leaves_out_its_own_members_of_the_root(method: str, kept: set[str]) -> None:
    inner = {"meta": {}, "text": {}, "id": "1", "signature": {}}
    bundle = {"id": "1", "meta": {}, "text": {}, "signature": {}, "entry": [inner]}
    found = canonical.restricted(bundle, f"http://hl7.org/fhir/canonicalization/{method}")  # type: ignore[arg-type]
    assert set(found) == kept
    assert found["entry"] == [inner]
