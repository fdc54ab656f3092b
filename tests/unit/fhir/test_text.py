"""FHIR JSON text: numbers stay as written, and what two parsers could read apart is refused."""

from __future__ import annotations

import copy
import json
import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Rejected
from gateway.fhir import text

DECIMALS = st.one_of(
    st.from_regex(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?", fullmatch=True),
    st.from_regex(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?[eE][+-]?[0-9]{1,2}", fullmatch=True),
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"))
)
TREES = st.recursive(
    LEAVES | DECIMALS.map(lambda number: {"n": text.loads(b'{"n":%s}' % number.encode())["n"]}),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcde", max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


def refusal(octets: bytes) -> tuple[str, str]:
    with pytest.raises(Rejected) as caught:
        text.loads(octets)
    return caught.value.problems[0].code, caught.value.problems[0].place


@pytest.mark.parametrize(
    "number",
    ["5.00", "0.40", "0.0000001", "1E-7", "1e5", "1.50E+3", "-0", "-0.0", "120", "0.120",
     "12345678901234567890.12345678901234", "9007199254740991", "-9007199254740991", "1e308"],
)  # fmt: skip
def test_prints_a_number_as_it_was_written(number: str) -> None:
    """Precision is part of a measurement: 5.00 is not 5."""
    octets = b'{"value":%s}' % number.encode()
    value = text.loads(octets)["value"]
    assert text.dumps({"value": value}) == octets
    assert isinstance(value, int | Decimal)
    assert text.number_text(value) == number


@pytest.mark.parametrize(
    "number",
    ["9007199254740992", "-9007199254740992", "1e309", "1E-309", "0e999", "1e999999999",
     "1e99999999999999999999999999", "0." + "1" * 34, "1" * 5000],
)  # fmt: skip
def test_refuses_a_number_beyond_limits(number: str) -> None:
    """A number other software would read differently is no evidence."""
    assert refusal(b'{"a":[1,{"value":%s}]}' % number.encode()) == ("FMT-304", "/a/1/value")


@given(DECIMALS)
def test_every_decimal_survives_as_text(number: str) -> None:
    """Whatever is accepted comes out with the same characters."""
    octets = b'{"value":%s}' % number.encode()
    assert text.dumps(text.loads(octets)) == octets


@given(st.dictionaries(st.text("abc", max_size=3), TREES, max_size=4))
def test_reading_what_was_printed_changes_nothing(tree: Any) -> None:
    """dumps and loads are each other's inverse."""
    octets = text.dumps(tree)
    assert text.loads(octets) == tree
    assert text.dumps(text.loads(octets)) == octets


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_noise_is_refused_and_nothing_else(octets: bytes) -> None:
    """Bytes that are not a document are the sender's fault, never a bug of ours."""
    try:
        text.loads(octets)
    except Rejected:
        return
    assert isinstance(json.loads(octets.decode("utf-8-sig")), dict)


def test_a_number_survives_copies() -> None:
    """Mapping copies resources; a copied number must print the same."""
    value = text.loads(b'{"a":{"b":0.0000001}}')
    for twin in (copy.deepcopy(value), copy.copy(value), pickle.loads(pickle.dumps(value))):
        assert text.dumps(twin) == b'{"a":{"b":0.0000001}}'


@pytest.mark.parametrize(
    ("octets", "place"),
    [
        (b'{"a":1,"a":1}', ""),
        (b'{"a":[0,{"b":{"c":1,"d":2,"c":3}}]}', "/a/1/b"),
        (b'{"a":1,"\\u0061":2}', ""),
        (b'{"a":{"b":1,"b" :2}}', "/a"),
    ],
)
def test_refuses_a_name_twice_in_one_object(octets: bytes, place: str) -> None:
    """Two programs would read two different values."""
    assert refusal(octets) == ("FMT-303", place)


def test_the_same_name_in_two_objects_is_fine() -> None:
    """The nearest good neighbour of a doubled name."""
    assert text.loads(b'{"a":{"b":1},"c":{"b":2}}') == {"a": {"b": 1}, "c": {"b": 2}}


def test_a_doubled_name_that_is_no_element_name_is_not_repeated() -> None:
    """A name could be a patient's; only what looks like an element is shown."""
    with pytest.raises(Rejected) as caught:
        text.loads('{"Иванов Иван":1,"Иванов Иван":2}'.encode())
    assert caught.value.problems[0].detail == {"name": "…"}


@pytest.mark.parametrize("opening", [b'{"a":', b"["])
@pytest.mark.parametrize("levels", [100, 1_000, 100_000])
def test_refuses_a_depth_bomb(opening: bytes, levels: int) -> None:
    """Nesting must not be a way to exhaust us, closed or not."""
    closing = b"}" if opening.startswith(b"{") else b"]"
    bomb = b'{"a":' + opening * levels + b"1" + closing * levels + b"}"
    assert refusal(bomb)[0] == "FMT-305"
    with pytest.raises(Rejected):
        text.loads(opening * levels)


def test_the_deepest_allowed_document_is_read() -> None:
    """One level less than the bomb."""
    deepest = b'{"a":' * text.DEPTH_MAX + b"1" + b"}" * text.DEPTH_MAX
    assert text.dumps(text.loads(deepest)) == deepest
    assert refusal(b'{"a":' + deepest + b"}")[0] == "FMT-305"


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", "FMT-301"),
        (b"noise", "FMT-301"),
        (b'{"a":1}x', "FMT-301"),
        (b'{"a":01}', "FMT-301"),
        (b'{"a":NaN}', "FMT-301"),
        (b'{"a":-Infinity}', "FMT-301"),
        (b'{"a":"\x01"}', "FMT-301"),
        (b"{'a':1}", "FMT-301"),
        (b'{"a":"\xff"}', "FMT-302"),
        ('{"a":1}'.encode("utf-16"), "FMT-302"),
        (b'{"a":"\xed\xa0\x80"}', "FMT-302"),
        (b'{"a":"\\ud800"}', "FMT-306"),
        (b'{"\\udfff":1}', "FMT-306"),
        (b'{"a":"\\u0000"}', "FMT-306"),
        (b"[]", "FMT-307"),
        (b"null", "FMT-307"),
        (b"5", "FMT-307"),
    ],
)
def test_refuses_what_is_no_json_object_in_utf_8(octets: bytes, code: str) -> None:
    """Each with its own code, so the sender knows what to change."""
    assert refusal(octets)[0] == code


@pytest.mark.parametrize(
    ("octets", "left", "faults"),
    [
        (b'{"a":1,"b":[1e999,2]}', {"a": 1, "b": [None, 2]}, ["FMT-304 /b/0"]),
        (b'{"a":1,"b":{"c":1,"c":2}}', {"a": 1, "b": {"c": 2}}, ["FMT-303 /b"]),
        (b'{"c":1,"d":1,"c":2,"d":2}', {"c": 2, "d": 2}, ["FMT-303 ", "FMT-303 "]),
        (b'{"c":NaN,"c":[NaN]}', {"c": [None]}, ["FMT-303 ", "FMT-301 /c/0"]),
        (b'{"a":1,"b":"\\u0000"}', {"a": 1, "b": "\0"}, ["FMT-306 /b"]),
        (b'{"a":1}', {"a": 1}, []),
    ],
)
def test_what_is_beside_a_fault_can_be_read(octets: bytes, left: Any, faults: list[str]) -> None:
    """One wrong entry in a day's batch must not cost the others."""
    reading = text.read(octets)
    assert reading.value == left
    assert [f"{one.code} {one.place}" for one in reading.faults] == faults


def test_a_branch_that_is_too_deep_is_cut_where_it_is() -> None:
    branch = b"[" * text.DEPTH_MAX + b"]" * text.DEPTH_MAX
    reading = text.read(b'{"a":1,"b":' + branch + b',"c":' + branch[1:-1] + b"}")
    assert [one.code for one in reading.faults] == ["FMT-305"]
    assert reading.faults[0].place == "/b" + "/0" * (text.DEPTH_MAX - 1)
    assert text.dumps(reading.value).startswith(b'{"a":1,"b":[[[')


@pytest.mark.parametrize(
    "octets",
    [
        b'{"a":[' + b"NaN," * 3000 + b"1]}",
        b'{"a":[' + b"NaN," * 3000 + b'1],"a":1}',
        b'{"a":[' + b'"\\u0000",' * 3000 + b"1]}",
        b'{"a":' + b"[" * 63 + b"[]," * 3000 + b"1" + b"]" * 63 + b"}",
    ],
)
def test_beyond_a_limit_of_faults_nothing_is_read(octets: bytes) -> None:
    """What is not noted would be taken for what was sent."""
    with pytest.raises(Rejected) as caught:
        text.read(octets)
    assert 1 <= len(caught.value.problems) <= text.FAULTS_MAX


def test_a_byte_order_mark_is_passed_over() -> None:
    """Windows writes one; RFC 8259 lets a reader ignore it."""
    assert text.loads(b'\xef\xbb\xbf{"a":"\\ud83d\\ude00"}') == {"a": "\U0001f600"}
