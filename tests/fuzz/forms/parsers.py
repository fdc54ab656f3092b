"""The parsers of XML and JSON with their canonical forms, and every format in its room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gateway.errors import Rejected
from gateway.fhir import canonical, canonical_xml, nodes, outcome, search, text
from gateway.formats.interface import formats
from gateway.model import Assurance, Document, Problem, SignedContent
from gateway.xml import c14n
from gateway.xml.parser import parse
from tests.fuzz.ground import Bench, foreign
from tests.fuzz.values import PASSED, REFUSED, Outcome, Seed
from tests.unit.fhir.test_mutations import BUNDLE
from tests.unit.signatures.made import XML
from tests.unit.signatures.made_xml import WHOLE

NAME = "parsers"
IN_XML, IN_JSON, FORMAT = "xml-parser", "json-parser", "format-"
SAMPLES = Path(__file__).parents[3] / "samples"
SAMPLE_BYTES_MAX = 64 * 1024
DOCUMENTS = (
    XML,
    WHOLE.encode(),
    b'<a xmlns="urn:a" xml:lang="ru" xml:base="http://x/">'
    b'<b xmlns:p="urn:p" p:q="1"><!--c--><?p x?>'
    b"<![CDATA[<c>&]]></b>&lt;&#1055;</a>",
    "<?xml version='1.0' encoding='windows-1251'?><а б='в'>Кровь</а>".encode("cp1251"),
)


def seeds(bench: Bench) -> Iterator[Seed]:
    jsons = [text.dumps(BUNDLE), b'{"a":[5.00,-0,1E5,"\\u0416\\ud83d\\ude00"],"b":{"c":null}}']
    xmls = [*DOCUMENTS, *foreign("signatures/xmlsec/**/*.xml")]
    jsons += foreign("fhir/r4-official-examples/*.json")
    for row, several in ((IN_XML, xmls), (IN_JSON, jsons)):
        for number, octets in enumerate(several):
            yield Seed(row=row, name=str(number), octets=octets)
    samples = [p.read_bytes() for p in sorted(SAMPLES.glob("*/*")) if p.suffix in (".json", ".xml")]
    samples = [one for one in samples if len(one) <= SAMPLE_BYTES_MAX]
    for name, form in formats().items():
        for number, octets in enumerate(one for one in samples if form.recognises(one[:4096])):
            yield Seed(row=FORMAT + name, name=str(number), octets=octets, ours=False)


def judge(bench: Bench, seed: Seed, octets: bytes) -> Outcome:
    problems = _problems(seed.row, octets)
    if problems is None:
        return Outcome(word=PASSED)
    assert problems, "refused for no reason"
    text.dumps(outcome.operation_outcome(problems))
    return Outcome(word=REFUSED)


def _problems(row: str, octets: bytes) -> tuple[Problem, ...] | None:
    """Return why an input is refused; None when it is taken."""
    try:
        if row == IN_XML:
            _xml(octets)
        elif row == IN_JSON:
            _json(octets)
        else:
            _format(row.removeprefix(FORMAT), octets)
    except Rejected as refusal:
        return refusal.problems
    return None


def _xml(octets: bytes) -> None:
    root = parse(octets)
    for method in c14n.METHODS:
        again = c14n.canonical(parse(c14n.canonical_document(root, method)), method)
        assert again == c14n.canonical(root, method), "a canonical form that has another"
    with suppress(canonical_xml.Foreign):
        canonical_xml.canonical(root)


def _json(octets: bytes) -> None:
    read = text.loads(octets)
    assert text.loads(text.dumps(read)) == read, "written otherwise than read"
    with suppress(canonical.NotExact):
        for method in canonical.METHODS:
            written = canonical.canonical(canonical.restricted(read, method))
            assert canonical.canonical(text.loads(written)) == written


def _format(name: str, octets: bytes) -> None:
    form = formats()[name]
    form.recognises(octets[:4096])
    content = SignedContent(
        octets=octets, media_type=form.MEDIA_TYPES[0], assurance=Assurance.SIGNED, report=None
    )
    for one in form.parse(content):
        if isinstance(one, Document):
            for _ in one.root.leaves():
                pass
            if isinstance(one.root, nodes.JsonNode):
                for entry in one.root.each("entry/*/resource"):
                    search.index(entry.value)
