"""What a narrative may hold: txt-1 and txt-2 of R4.

Plain XHTML formatting: no script, no form, no object, no event attribute, nothing loaded from
elsewhere but images and stylesheets inside the text.  Parsed by the one hardened XML parser.

Source: https://hl7.org/fhir/R4/narrative.html, section 2.4.0.2.
"""

from __future__ import annotations

import html
import html.entities
import re
from collections.abc import Iterator

from gateway.errors import Rejected
from gateway.xml.parser import parse

XHTML = "{http://www.w3.org/1999/xhtml}"

_ELEMENTS = """
    a abbr acronym address b bdo big blockquote br caption cite code col colgroup dd del dfn
    div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li map area ol p pre q samp small span strong
    style sub sup table tbody td tfoot th thead tr tt ul var"""
ELEMENTS = frozenset(_ELEMENTS.split())

_ATTRIBUTES = """
    abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign
    char charoff charset cite class color colspan compact coords datetime dir face frame headers
    height href hreflang hspace id lang longdesc name nowrap rel rev rowspan rules scope shape
    size span src start style summary tabindex title type valign value vspace width
    {http://www.w3.org/XML/1998/namespace}lang"""
ATTRIBUTES = frozenset(_ATTRIBUTES.split())

_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = frozenset(("amp", "lt", "gt", "quot", "apos"))
_ACTIVE = re.compile(r"^\s*(?:javascript|vbscript|data:text)", re.IGNORECASE)


def broken_rules(markup: str) -> Iterator[str]:
    """Yield the key of each narrative rule that `markup` breaks."""
    try:
        root = parse(_ENTITY.sub(_character, markup).encode())
    except Rejected:
        yield "txt-1"
        return
    if root.tag != XHTML + "div" or not all(_is_allowed(node) for node in root.iter()):
        yield "txt-1"
    if not "".join(map(str, root.itertext())).strip() and root.find(f".//{XHTML}img") is None:
        yield "txt-2"


def _is_allowed(node: object) -> bool:
    tag = getattr(node, "tag", None)
    if not isinstance(tag, str):
        return callable(tag) and tag.__name__ == "Comment"
    if tag.removeprefix(XHTML) not in ELEMENTS:
        return False
    attributes = dict(getattr(node, "attrib", {}))
    if not ATTRIBUTES.issuperset(attributes):
        return False
    return not any(_ACTIVE.match(attributes.get(name, "")) for name in ("href", "src"))


def _character(match: re.Match[str]) -> str:
    """Write an HTML entity as its character: XHTML knows the names, XML alone does not."""
    if match[1] in _XML_ENTITIES:
        return match[0]
    return html.unescape(match[0]) if f"{match[1]};" in html.entities.html5 else match[0]
