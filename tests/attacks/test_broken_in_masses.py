"""Documents broken a thousand times over, and many of them at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import Rejected
from gateway.fhir import text
from gateway.formats import lab_xml
from gateway.model import Assurance, SignedContent

EXAMPLE = Path(__file__).parents[2] / "mappings" / "lab_xml" / "default.example.xml"
SECONDS = 20


def broken(count: int) -> bytes:
    """Return a laboratory result with `count` elements that the schema does not know."""
    root = etree.fromstring(EXAMPLE.read_bytes())
    test = root.find(".//{*}test")
    assert test is not None
    for _ in range(count):
        etree.SubElement(test, f"{{{lab_xml.NAMESPACE}}}unknown{count}")
    return etree.tostring(root)


def findings(octets: bytes) -> list[tuple[str, str]]:
    content = SignedContent(
        octets=octets, media_type="application/xml", assurance=Assurance.CHANNEL, report=None
    )
    with pytest.raises(Rejected) as refusal:
        lab_xml.parse(content)
    return [(problem.code, problem.place) for problem in refusal.value.problems]


def test_results_broken_at_the_same_time_each_hear_of_their_own_faults() -> None:
    """One schema for all threads lost findings, or gave one laboratory those of another."""
    documents = [broken(count) for count in (1, 2, 3, 4)]
    expected = [findings(document) for document in documents]
    differing: list[object] = []

    def check(number: int) -> None:
        for _ in range(200):
            try:
                found = findings(documents[number])
            except AssertionError as error:
                differing.append(error)
            else:
                differing.extend([found] if found != expected[number] else [])

    threads = [threading.Thread(target=check, args=(number % 4,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not differing


def test_a_million_faults_in_json_are_not_a_million_problems() -> None:
    """Each would stand in the receipt, the store and the answer."""
    octets = b'{"a":[' + b",".join([b"1e999"] * 1_000_000) + b"]}"
    started = time.monotonic()
    with pytest.raises(Rejected) as refusal:
        text.loads(octets)
    assert time.monotonic() - started < SECONDS
    problems = refusal.value.problems
    assert len(problems) == text.FAULTS_MAX
    assert (problems[0].code, problems[0].place) == ("FMT-304", "/a/0")


def test_the_one_fault_after_many_good_numbers_is_still_named() -> None:
    with pytest.raises(Rejected) as refusal:
        text.loads(b'{"a":[' + b"1," * 100_000 + b'1e999],"b":{"c":1,"c":2}}')
    found = [(problem.code, problem.place) for problem in refusal.value.problems]
    assert found == [("FMT-304", "/a/100000"), ("FMT-303", "/b")]


def test_faults_inside_a_doubled_name_leave_at_least_one_problem() -> None:
    """The marks within must not vanish with the object around them."""
    inner = b",".join([b"1e999"] * (text.FAULTS_MAX + 1))
    with pytest.raises(Rejected) as refusal:
        text.loads(b'{"a":{"x":[' + inner + b'],"y":1,"y":2}}')
    assert len(refusal.value.problems) == text.FAULTS_MAX
