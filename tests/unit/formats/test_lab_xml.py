"""Laboratory XML: read when it follows the schema, refused by place when it does not."""

from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import Rejected
from gateway.formats import lab_xml
from gateway.model import Assurance, Document, SignedContent, Unreadable

EXAMPLE = Path(__file__).parents[3] / "mappings" / "lab_xml" / "default.example.xml"
TEXT = EXAMPLE.read_text("utf-8")


def parse(text: str) -> Document:
    content = SignedContent(
        octets=text.encode(), media_type="application/xml", assurance=Assurance.SIGNED, report=None
    )
    document = lab_xml.parse(content)[0]
    assert isinstance(document, Document)
    return document


def refused(old: str, new: str) -> list[tuple[str, str]]:
    assert old in TEXT
    with pytest.raises(Rejected) as caught:
        parse(TEXT.replace(old, new, 1))
    return [(problem.code, problem.place) for problem in caught.value.problems]


def test_recognises_its_namespace_only() -> None:
    assert lab_xml.recognises(TEXT.encode()[:4096])
    assert lab_xml.recognises(TEXT.encode("utf-16")[:4096])
    assert not lab_xml.recognises(b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>")
    assert not lab_xml.recognises(b'{"text": "urn:gateway:lab-result:1.0"}')


def test_values_come_out_exactly_as_written() -> None:
    tests = parse(TEXT).root.each("l:results/l:test/l:value")
    assert [test.select(".") for test in tests] == ["5,10", "88", "<0,40"]


def test_every_node_names_its_place() -> None:
    root = parse(TEXT).root
    second = root.each("l:results/l:test")[1]
    assert second.place == "/l:labResult/l:results/l:test[2]"
    assert second.each("@specimen")[0].place == "/l:labResult/l:results/l:test[2]/@specimen"
    assert second.select("l:nothing") is None


def test_a_place_leads_back_to_its_node() -> None:
    """A person must find the place in the source by the path alone."""
    root = parse(TEXT).root
    for place, text in root.leaves():
        assert [node.select(".") for node in root.each(place)] == [text]


def test_a_comment_inside_a_value_is_no_part_of_it() -> None:
    """A comment must not cut a value in two (a known attack on signed XML)."""
    document = parse(TEXT.replace("5,10", "5,<!-- x -->10"))
    assert document.root.select("l:results/l:test/l:value") == "5,10"


def test_an_enveloped_signature_is_allowed_and_not_required() -> None:
    signature = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></labResult>'
    parse(TEXT.replace("</labResult>", signature))


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("<number>000017</number>", "", "/l:labResult/l:document/l:version"),
        (
            "<version>1</version>",
            "<version>0</version>",
            "/l:labResult/l:document/l:version",
        ),
        ('specimen="S1"', 'specimen="S 1"', "/l:labResult/l:results/l:test[1]"),
        ("<sex>female</sex>", "<sex>F</sex>", "/l:labResult/l:patient/l:sex"),
        ("1984-05-17", "17.05.1984", "/l:labResult/l:patient/l:birthDate"),
        (
            "<value>88</value>",
            "<value> </value>",
            "/l:labResult/l:results/l:test[2]/l:value",
        ),
        ("</labResult>", "<more/></labResult>", "/l:labResult/l:more"),
    ],
)
def test_what_breaks_the_schema_is_refused_at_its_place(old: str, new: str, place: str) -> None:
    assert ("FMT-211", place) in [(c, p.partition(" (line ")[0]) for c, p in refused(old, new)]


@pytest.mark.parametrize(
    ("stranger", "place"),
    [
        ('<p:x xmlns:p="urn:p"/>', "/l:labResult/x"),
        ('<p:x xmlns:p="urn:p"/><p:x xmlns:p="urn:q"/>', "/l:labResult/x"),
        ('<x xmlns=""/>', "/l:labResult/x"),
        ('<x xmlns="urn:p"/>', "/l:labResult/x"),
        ('<p:more xmlns:p="urn:gateway:lab-result:1.0"/>', "/l:labResult/l:more"),
    ],
)
def test_an_element_of_a_stranger_is_refused_at_its_place(stranger: str, place: str) -> None:
    """Found by fuzzing: the sender's own prefixes are in no table of ours."""
    found = refused("</labResult>", f"{stranger}</labResult>")
    assert found[0][0] == "FMT-211"
    assert found[0][1].startswith(f"{place} (line ")


def test_the_place_of_a_schema_problem_has_its_line() -> None:
    line = TEXT[: TEXT.index("<sex>")].count("\n") + 1
    assert refused("<sex>female</sex>", "<sex>F</sex>") == [
        ("FMT-211", f"/l:labResult/l:patient/l:sex (line {line})")
    ]


def test_another_root_is_not_laboratory_xml() -> None:
    assert refused('xmlns="urn:gateway:lab-result:1.0"', 'xmlns="urn:gateway:lab-result:1.1"') == [
        ("FMT-212", "/")
    ]


def test_a_test_must_name_a_specimen_that_is_there() -> None:
    found = refused('<specimen id="S1">', '<specimen id="S2">')
    assert found[0] == ("FMT-213", "/l:labResult/l:results/l:test[1]/@specimen")


def test_a_test_without_value_and_comment_says_nothing() -> None:
    assert refused("<value>5,10</value>", "") == [("FMT-214", "/l:labResult/l:results/l:test[1]")]


def test_problems_hold_no_text_of_the_document() -> None:
    with pytest.raises(Rejected) as caught:
        parse(TEXT.replace("1984-05-17", "СЕКРЕТ").replace("<sex>female", "<sex>СЕКРЕТ"))
    assert "СЕКРЕТ" not in repr(caught.value.problems)


# --- batches ---------------------------------------------------------------------------

RESULT = TEXT[TEXT.index("<labResult") :]


def batch(*results: str, frame: str = "<labResults xmlns='urn:gateway:lab-result:1.0'>") -> str:
    return frame + "\n".join(results) + "</labResults>"


def pieces(text: str) -> tuple[Document | Unreadable, ...]:
    content = SignedContent(
        octets=text.encode(), media_type="application/xml", assurance=Assurance.SIGNED, report=None
    )
    return lab_xml.parse(content)


def test_every_result_of_a_batch_is_a_document() -> None:
    """Places lead into the file that was sent."""
    first, second = pieces(batch(RESULT, RESULT.replace("000017", "000018")))
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert [first.ordinal, second.ordinal] == [0, 1]
    assert second.place == "/l:labResults/l:labResult[2]"
    assert first.root.select("l:document/l:number") == "000017"
    (number,) = second.root.each("l:document/l:number")
    assert number.select(".") == "000018"
    assert number.place == "/l:labResults/l:labResult[2]/l:document/l:number"
    assert {place.split("/")[2] for place, _ in second.root.leaves()} == {"l:labResult[2]"}


def test_a_broken_result_refuses_only_itself() -> None:
    """By its schema, between its parts, or because it is none at all."""
    broken = RESULT.replace("<sex>female</sex>", "<sex>F</sex>")
    crossed = RESULT.replace('<specimen id="S1">', '<specimen id="S2">')
    found = pieces(batch(RESULT, broken, "<order/>", crossed, RESULT))
    assert [type(one) for one in found] == [Document, Unreadable, Unreadable, Unreadable, Document]
    told = [
        next((p.code, p.place.partition(" (line ")[0]) for p in one.problems)
        for one in found
        if isinstance(one, Unreadable)
    ]
    assert told == [
        ("FMT-211", "/l:labResults/l:labResult[2]/l:patient/l:sex"),
        ("FMT-212", "/l:labResults/l:order"),
        ("FMT-213", "/l:labResults/l:labResult[3]/l:results/l:test[1]/@specimen"),
    ]


def test_the_signature_of_a_batch_is_no_piece_of_it() -> None:
    signature = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>'
    assert len(pieces(batch(RESULT, signature))) == 1


@pytest.mark.parametrize(
    "text",
    [
        batch(),
        batch(RESULT, "stray text"),
        batch(RESULT, frame="<labResults xmlns='urn:gateway:lab-result:1.0' day='1'>"),
    ],
)
def test_a_batch_whose_frame_is_broken_is_refused_whole(text: str) -> None:
    """Nobody knows what else the sender meant."""
    with pytest.raises(Rejected) as refused:
        pieces(text)
    assert [(p.code, p.place) for p in refused.value.problems] == [("FMT-211", "/l:labResults")]


def test_the_schema_takes_what_the_gateway_takes() -> None:
    """A laboratory validates its batch with the schema before it sends it."""
    schema = etree.XMLSchema(etree.parse(lab_xml.SCHEMA))
    frame = "<labResults xmlns='urn:gateway:lab-result:1.0' Id='b1'>"
    assert schema.validate(etree.fromstring(batch(RESULT, RESULT, frame=frame).encode()))
    assert not schema.validate(etree.fromstring(batch(RESULT, "<order/>").encode()))
