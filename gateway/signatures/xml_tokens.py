"""Security tokens of WS-Security: which one a reference names, and how the reference is signed.

Source: OASIS WS-Security 1.1.1, clauses 7 (SecurityTokenReference) and 8.3 (STR-Transform).
"""

from __future__ import annotations

import re

from lxml import etree

from gateway.signatures import xml_names as names
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    failed,
    undecided,
)
from gateway.signatures.xml_source import Source
from gateway.xml import c14n

_WSSE = f"{{{names.WSSE}}}"
REFERENCE = f"{_WSSE}SecurityTokenReference"
TOKEN = f"{_WSSE}BinarySecurityToken"
POINTER = f"{_WSSE}Reference"

_NAME = re.compile(rb"<[^ >]+")


def named(reference: etree._Element, source: Source) -> etree._Element | None:
    """Return the token that a SecurityTokenReference names by Id or holds, or None.

    Raises the flaw of one that names something else.
    """
    pointer = reference.find(POINTER)
    if pointer is None:
        return reference.find(f"{_WSSE}Embedded/{TOKEN}")
    uri = pointer.get("URI") or ""
    if not uri.startswith("#"):
        return None
    token = source.by_id(uri[1:])
    if token.tag != TOKEN:
        raise failed("format", FORMAT_FAILURE, "SecurityTokenReference names no token")
    return token


def dereferenced(reference: etree._Element, source: Source, method: str) -> bytes:
    """Return the canonical form of the token that `reference` names, as STR-Transform has it.

    A token that is not in the file would have to be made up from a certificate; that is not
    done.  The default namespace is always declared, be it empty.
    """
    token = named(reference, source) if reference.tag == REFERENCE else None
    if token is None:
        detail = "STR-Transform of what is no token in the file"
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail)
    octets = c14n.canonical(token, method, (c14n.DEFAULT,))
    name = _NAME.match(octets)
    assert name is not None
    if octets.startswith(b' xmlns="', name.end()):
        return octets
    return octets[: name.end()] + b' xmlns=""' + octets[name.end() :]
