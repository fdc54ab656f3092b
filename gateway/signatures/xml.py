"""XML signatures: XMLDSig and XAdES, in GOST, RSA and ECDSA.

Enveloped, enveloping, detached in one file or beside the document, and WS-Security.  Our own
reference processing: see `xml_signature`.

Source: W3C XMLDSig 1.1; ETSI EN 319 132-1 (XAdES).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lxml import etree

from gateway.algorithms.interface import Algorithms
from gateway.errors import Rejected
from gateway.model import CheckedSignature, Part
from gateway.signatures import findings, xml_key_info
from gateway.signatures import xml_names as names
from gateway.signatures.directory import NOBODY, Directory
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    failed,
    undecided,
)
from gateway.signatures.xml_signature import Signature
from gateway.signatures.xml_source import OCTETS_MIN, TIMES_MAX, Source
from gateway.signatures.xml_structure import local, top_signatures
from gateway.xml.parser import is_xml, parse

NAME = "xml"
FORMAT = "XMLDSig"

SIGNATURES_MAX = 16


def check(
    document: Part,
    signatures: tuple[Part, ...],
    algorithms: Algorithms,
    known: Sequence[bytes] = (),
    *,
    directory: Directory = NOBODY,
) -> tuple[CheckedSignature, ...]:
    """Check every top-level Signature in `document` and in the XML among `signatures`.

    `known` are certificates or public keys (DER) that may be the signer's when a signature
    brings none; `directory` has those that it may name.
    """
    others = xml_key_info.known(known)
    found = list(_check_file(document.body, "document", None, algorithms, others, directory))
    for position, part in enumerate(signatures):
        if is_xml(part.body[:64]):
            place = f"signature[{position}]"
            several = list(_check_file(part.body, place, document, algorithms, others, directory))
            found.extend(
                several or [findings.refused(place, _broken("no Signature element"), FORMAT)]
            )
    return tuple(found)


def _check_file(
    octets: bytes,
    place: str,
    beside: Part | None,
    algorithms: Algorithms,
    known: xml_key_info.Keys,
    directory: Directory,
) -> Iterator[CheckedSignature]:
    """Check the signatures in one file, which is the document itself or lies `beside` it."""
    if not is_xml(octets[:64]):
        return
    try:
        root = parse(octets)
    except Rejected as error:
        # A document that is no XML is for its format to refuse, unless it means to be signed.
        if beside is not None or names.DS.encode() in octets:
            yield findings.refused(place, _broken(f"XML refused: {error.problems[0].code}"), FORMAT)
        return
    several = top_signatures(root)
    if len(several) > SIGNATURES_MAX:
        flaw = undecided("format", SIG_CONSTRAINTS_FAILURE, f"{len(several)} signatures")
        yield findings.refused(place, flaw, FORMAT)
        return
    length = len(octets) + (len(beside.body) if beside is not None else 0)
    source = Source(
        root=root,
        enclosing=beside is None,
        document=beside,
        octets_left=max(OCTETS_MIN, TIMES_MAX * length),
    )
    for element in several:
        one = Signature(element, source, algorithms, known, directory)
        yield one.check(place + _path(element))


def _path(element: etree._Element) -> str:
    """Return where `element` stands, as `/Envelope/Signature`, without its prefixes."""
    steps = []
    for node in (element, *element.iterancestors()):
        earlier = sum(1 for other in node.itersiblings(node.tag, preceding=True))
        index = f"[{earlier + 1}]" if earlier else ""
        steps.append(f"/{local(node)}{index}")
    return "".join(reversed(steps))


def _broken(detail: str) -> findings.Flaw:
    return failed("format", FORMAT_FAILURE, detail)
