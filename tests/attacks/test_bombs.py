"""Files that grow when they are read: refused early, in bounded time and bounded memory.

Each is read in a process of its own, so that what it takes can be told: the same limits as
for the inputs of `make fuzz`.
"""

from __future__ import annotations

import base64
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import Rejected
from gateway.fhir import text
from gateway.model import Part, SignatureReport
from gateway.sandbox import pki as sandbox
from gateway.sandbox.pki import Pki
from gateway.signatures import xml_names as names
from gateway.verification import signed_octets
from gateway.xml import parser
from tests.fuzz.trying import MEMORY_BYTES_MAX, SECONDS_MAX, forget_peak, peak
from tests.pki.build import NOW
from tests.unit.signatures.made import document, passes_whole, verifier
from tests.unit.signatures.made_xml import EXCLUSIVE, Ref, signed_xml

LARGE = 16 * 1024 * 1024
"""Two thirds of what the door lets in: a busy machine must not fail the test."""

REFERENCES = 900
XML_TYPE, JSON_TYPE, CMS_TYPE = "application/xml", "application/fhir+json", "application/pkcs7-mime"


def _laughs() -> bytes:
    entities = "".join(f"<!ENTITY e{i} '{f'&e{i - 1};' * 10}'>" for i in range(1, 40))
    return f"<!DOCTYPE a [<!ENTITY e0 'ha'>{entities}]><a>&e39;</a>".encode()


def _quadratic() -> bytes:
    return b"<!DOCTYPE a [<!ENTITY e '%s'>]><a>%s</a>" % (
        b"x" * (LARGE // 2),
        b"&e;" * (LARGE // 8),
    )


def _signed_about(inside: bytes) -> bytes:
    return b'<r><ds:Signature xmlns:ds="%s"/>%s</r>' % (names.DS.encode(), inside)


def _deep_der() -> bytes:
    return b"\x30\x80" * (LARGE // 2)


def _many_der() -> bytes:
    inner = bytes.fromhex("06092a864886f70d010702") + b"\x05\x00" * (LARGE // 2)
    return b"\x30\x84" + len(inner).to_bytes(4, "big") + inner


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a billion laughs": (XML_TYPE, _laughs),
    "one large entity many times": (XML_TYPE, _quadratic),
    "a parameter entity from elsewhere": (
        XML_TYPE,
        lambda: b"<!DOCTYPE a [<!ENTITY % x SYSTEM 'file:///dev/zero'>%x;]><a/>",
    ),
    "a tree of a million levels": (XML_TYPE, lambda: _signed_about(b"<a>" * (LARGE // 8))),
    "an element with a million attributes": (
        XML_TYPE,
        lambda: _signed_about(
            b"<a " + b"\n".join(b"b%d=''" % i for i in range(LARGE // 16)) + b"/>"
        ),
    ),
    "an element with a million attributes in UTF-16": (
        XML_TYPE,
        lambda: "<a {}/>".format(" ".join(f"b{i} = '='" for i in range(LARGE // 32))).encode(
            "utf-16"
        ),
    ),
    "a name as long as the file": (XML_TYPE, lambda: _signed_about(b"<" + b"a" * LARGE + b"/>")),
    "an attribute name as long as the file": (
        XML_TYPE,
        lambda: _signed_about(b"<a " + b"b" * LARGE + b"=''/>"),
    ),
    "more elements than any": (XML_TYPE, lambda: _signed_about(b"<a/>" * (LARGE // 4))),
    "a million namespaces": (
        XML_TYPE,
        lambda: _signed_about(
            b"".join(b"<a xmlns:n%d='urn:%d'>" % (i, i) for i in range(LARGE // 32))
        ),
    ),
    "an array of a million levels": (JSON_TYPE, lambda: b'{"a":' + b"[" * LARGE),
    "an object of a million levels": (JSON_TYPE, lambda: b'{"a":' * (LARGE // 5)),
    "a number as long as the file": (JSON_TYPE, lambda: b'{"a":' + b"9" * LARGE + b"}"),
    "a power without end": (JSON_TYPE, lambda: b'{"a":1e' + b"9" * LARGE + b"}"),
    "a CMS of a million levels": (CMS_TYPE, _deep_der),
    "a CMS of millions of elements": (CMS_TYPE, _many_der),
    "a compact JWS as long as the file": ("", lambda: b"e" * LARGE + b".." + b"e" * 86),
}


def judged(folder: Path, media_type: str, octets: bytes) -> tuple[str, float, int]:
    """Verify and read a file in this process; return what it says and what the longer took."""
    judge = verifier(sandbox.load(folder))
    judge.verify(document(b"{}"), (), NOW)
    forget_peak()
    before, started = peak(), time.process_time()
    part = document(octets, media_type)
    report = judge.verify(part, (), NOW)
    verified = time.process_time()
    said = "passed" if passes_whole(report) else _refused(part, report)
    seconds = max(verified - started, time.process_time() - verified)
    return said, seconds, peak() - before


def _refused(part: Part, report: SignatureReport) -> str:
    try:
        if part.media_type == XML_TYPE:
            parser.parse(part.body)
        elif part.media_type == JSON_TYPE:
            text.loads(part.body)
        else:
            signed_octets(report, part)
    except Rejected as error:
        return error.problems[0].code
    return "taken"


@pytest.fixture(scope="module")
def apart() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_early(pki: Pki, apart: ProcessPoolExecutor, bomb: str) -> None:
    media_type, made = BOMBS[bomb]
    octets = made()
    assert len(octets) <= parser.OCTETS_MAX
    said, seconds, octets_held = apart.submit(judged, pki.folder, media_type, octets).result()
    assert said.startswith(("FMT-", "SIG-")), said
    assert seconds < SECONDS_MAX
    assert octets_held < MEMORY_BYTES_MAX


def test_nine_hundred_references_are_checked_in_bounded_time_and_memory(
    pki: Pki, apart: ProcessPoolExecutor
) -> None:
    """Each costs a look at its part, not at the document."""
    parts = "".join(f'<b ID="b{i}">{i}</b>' for i in range(REFERENCES))
    several = [Ref(uri=f"#b{i}", transforms=EXCLUSIVE) for i in range(REFERENCES)]
    octets = signed_xml(pki, f'<r xmlns="urn:x">{parts}</r>', *several)
    said, seconds, octets_held = apart.submit(judged, pki.folder, XML_TYPE, octets).result()
    assert said == "taken"
    assert seconds < SECONDS_MAX
    assert octets_held < MEMORY_BYTES_MAX


def test_a_large_attribute_is_taken_in_bounded_memory(pki: Pki, apart: ProcessPoolExecutor) -> None:
    """FHIR in XML keeps its base64 in attributes: their size is the size of the file."""
    octets = b'<a b="' + base64.b64encode(b"\x00" * (LARGE * 3 // 4 - 64)) + b'"/>'
    said, seconds, octets_held = apart.submit(judged, pki.folder, XML_TYPE, octets).result()
    assert said == "taken"
    assert seconds < SECONDS_MAX
    assert octets_held < MEMORY_BYTES_MAX
