"""JSON and XML of one resource say the same, and every difference is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.fhir import alike, text
from gateway.xml.parser import parse

JSON: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "collection",
    "signature": {"data": "AAAA"},
    "entry": [
        {
            "resource": {
                "resourceType": "Observation",
                "id": "o1",
                "text": {
                    "status": "generated",
                    "div": '<div xmlns="http://www.w3.org/1999/xhtml">5 &lt; 6</div>',
                },
                "extension": [{"url": "urn:x", "valueBoolean": True}],
                "_status": {"id": "s", "extension": [{"url": "urn:y", "valueCode": "c"}]},
                "status": "final",
                "valueInteger": 5,
                "note": [{"text": "a"}, {"text": "b"}],
            }
        }
    ],
}
XML = """<f:Bundle xmlns:f="http://hl7.org/fhir"><!-- c --><f:type value="collection"/>
<f:entry><f:resource><f:Observation><f:id value="o1"/><f:text><f:status value="generated"/>
<div xmlns="http://www.w3.org/1999/xhtml">5 &lt;
6</div></f:text><f:extension url="urn:x"><f:valueBoolean value="true"/></f:extension>
<f:status value="final" id="s"><f:extension url="urn:y"><f:valueCode value="c"/></f:extension>
</f:status><f:valueInteger value="5"/><f:note><f:text value="a"/></f:note>
<f:note><f:text value="b"/></f:note></f:Observation></f:resource></f:entry></f:Bundle>"""


def same(resource: object = JSON, xml: str = XML) -> bool:
    return alike.same(text.loads(json.dumps(resource).encode()), parse(xml.encode()), "signature")


def test_one_resource_in_both_formats_is_the_same() -> None:
    assert same()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"o1"', '"o2"'),
        ("5 &lt;", "6 &lt;"),
        ('"urn:x"', '"urn:z"'),
        ('"true"', '"false"'),
        (' id="s"', ""),
        ('value="5"', 'value="5.0"'),
        ('<f:text value="a"/>', '<f:text value="b"/>'),
        ('<f:note><f:text value="a"/></f:note>', ""),
        ("f:Observation>", "f:Condition>"),
    ],
)
def test_every_difference_is_noticed(one: str, other: str) -> None:
    assert one in XML
    assert not same(xml=XML.replace(one, other))


@pytest.mark.parametrize(
    "change",
    [
        lambda read: read.update(resourceType="Parameters"),
        lambda read: read.update(id="b1"),
        lambda read: read["entry"].append({}),
        lambda read: read["entry"][0]["resource"].update(note=5),
        lambda read: read["entry"][0]["resource"].update(_status=[None, {"id": "s"}]),
        lambda read: read["entry"][0]["resource"]["text"].update(div="<div>"),
        lambda read: read["entry"][0]["resource"].update(note=[[{}]]),
    ],
)
def test_what_is_more_less_or_nonsense_is_a_difference(
    change: Callable[[dict[str, Any]], Any],
) -> None:
    read = json.loads(json.dumps(JSON))
    change(read)
    assert not same(read)


def test_what_is_no_resource_says_nothing() -> None:
    assert not same({"type": "collection"})
    assert not same({})
