"""Reading the structural elements of an XML signature: strictly, one way only.

Foreign elements, comments, instructions and text among structural elements are refused:
what two programs may read differently is no signature.

Source: W3C XMLDSig 1.1, clause 4.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from lxml import etree

from gateway.errors import Rejected
from gateway.signatures import xml_names as names
from gateway.signatures.findings import FORMAT_FAILURE, failed
from gateway.xml.parser import parse

DS = f"{{{names.DS}}}"
SIGNATURE = f"{DS}Signature"
_SPACE = re.compile(r"[ \t\r\n]+")


def children(parent: etree._Element, *allowed: str) -> list[etree._Element]:
    """Return the child elements of a structural element, all of the names `allowed`.

    Raises the flaw for anything else: foreign elements, comments, instructions, text.
    """
    found = []
    texts = [parent.text, *(child.tail for child in parent)]
    if any(text and not text.isspace() for text in texts):
        raise failed("format", FORMAT_FAILURE, f"text in {local(parent)}")
    wanted = [f"{DS}{name}" for name in allowed]
    for child in parent:
        if isinstance(child, etree._Comment | etree._ProcessingInstruction):
            raise failed("format", FORMAT_FAILURE, f"comment in {local(parent)}")
        if child.tag not in wanted:
            raise failed("format", FORMAT_FAILURE, f"unexpected element in {local(parent)}")
        found.append(child)
    return found


def one(parent: etree._Element, *sequence: str) -> list[etree._Element]:
    """Return the children of `parent`, which are exactly the elements named, in this order."""
    found = children(parent, *sequence)
    if [local(child) for child in found] != list(sequence):
        raise failed("format", FORMAT_FAILURE, f"{local(parent)} is not {', '.join(sequence)}")
    return found


def decode(element: etree._Element) -> bytes:
    """Return the octets of a base64 element, which holds nothing but text."""
    if len(element):
        raise failed("format", FORMAT_FAILURE, f"content in {local(element)}")
    octets = base64_octets(element.text or "")
    if not octets:
        raise failed("format", FORMAT_FAILURE, f"base64 of {local(element)}")
    return octets


def base64_octets(text: str) -> bytes | None:
    """Return what `text` is the base64 of, white space aside; None for any other spelling."""
    packed = _SPACE.sub("", text)
    try:
        octets = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if base64.b64encode(octets).decode("ascii") == packed else None


def reread(octets: bytes, check: str = "format") -> etree._Element:
    """Return the document element of canonical octets, or raise the flaw that they are none.

    A part takes over the namespaces around it, which may be more than one element may have.
    """
    try:
        return parse(octets)
    except Rejected as error:
        detail = f"what is signed is no XML: {error.problems[0].code}"
        raise failed(check, FORMAT_FAILURE, detail) from error


def local(element: etree._Element) -> str:
    """Return the name of `element` without its namespace."""
    return str(element.tag).rpartition("}")[2]


def local_names(elements: Sequence[etree._Element]) -> list[str]:
    return [local(element) for element in elements]


def top_signatures(below: etree._Element) -> list[etree._Element]:
    """Return the Signature elements at or below `below` that are in no other Signature."""
    return [
        found
        for found in below.iter(SIGNATURE)
        if next(found.iterancestors(SIGNATURE), None) is None
    ]
