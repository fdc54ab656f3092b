"""Transforms as a reference writes them, with their parameters.

Source: W3C XMLDSig 1.1, clauses 4.4.3.4 and 6.6; W3C XPath Filter 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from gateway.signatures import findings
from gateway.signatures import xml_names as names
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    failed,
    undecided,
)
from gateway.signatures.xml_structure import DS, children, local
from gateway.xml import c14n, xpath_syntax
from gateway.xml.xpath_syntax import Expression, Unreadable

FILTERS_MAX = 16
"""XPath elements in one Filter 2.0 transform."""

_NO_PREFIXES = (names.ENVELOPED, *(one for one in c14n.METHODS if c14n.EXCLUSIVE not in one))
"""Transforms to which a list of prefixes says nothing."""

Operation = Literal["keep", "intersect", "subtract", "union"]


@dataclass(frozen=True, kw_only=True)
class XPath:
    """One XPath of a transform; `keep` is the filter of XMLDSig 1.0, node by node."""

    operation: Operation
    expression: Expression
    prefixes: Mapping[str, str]
    path: tuple[int, ...]
    """Where the element stands in SignedInfo, for `here()`."""


@dataclass(frozen=True, kw_only=True)
class Transform:
    algorithm: str
    prefixes: tuple[str, ...] = ()
    """PrefixList of exclusive canonicalisation."""

    filters: tuple[XPath, ...] = ()

    method: str = ""
    """Canonicalisation within STR-Transform."""


def read(element: etree._Element) -> Transform:
    """Read a Transform or CanonicalizationMethod with its parameters."""
    algorithm = element.get("Algorithm") or ""
    if algorithm in (c14n.EXCLUSIVE, c14n.EXCLUSIVE + "WithComments"):
        return Transform(algorithm=algorithm, prefixes=_prefix_list(element))
    if algorithm == names.XPATH:
        inner = children(element, "XPath")
        if len(inner) != 1:
            raise failed("format", FORMAT_FAILURE, "an XPath transform holds one XPath")
        return Transform(algorithm=algorithm, filters=(_xpath(inner[0], "keep"),))
    if algorithm == names.FILTER2:
        return Transform(algorithm=algorithm, filters=_filters(element))
    if algorithm == names.STR_TRANSFORM:
        return Transform(algorithm=algorithm, method=_token_method(element))
    if algorithm in _NO_PREFIXES and [local(child) for child in element] == ["InclusiveNamespaces"]:
        # xml-crypto writes the list into every transform, for these in no namespace of its own.
        return Transform(algorithm=algorithm)
    if len(element) or (element.text and not element.text.isspace()):
        if algorithm in (*c14n.METHODS, names.ENVELOPED, names.BASE64, names.SMEV):
            detail = "parameters of a transform that has none"
        else:
            detail = unsupported(algorithm)
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail)
    return Transform(algorithm=algorithm)


def unsupported(algorithm: str) -> str:
    return f"transform {findings.shown(algorithm, names.KNOWN)} unsupported"


def _prefix_list(element: etree._Element) -> tuple[str, ...]:
    if not len(element):
        return ()
    inner = element[0]
    if len(element) != 1 or inner.tag != f"{{{c14n.EXCLUSIVE}}}InclusiveNamespaces":
        raise failed("format", FORMAT_FAILURE, "parameters of exclusive canonicalisation")
    return tuple((inner.get("PrefixList") or "").split())


def _token_method(element: etree._Element) -> str:
    """Return the canonicalisation that TransformationParameters name (WS-Security, 8.3)."""
    method = element.find(f"{{{names.WSSE}}}TransformationParameters/{DS}CanonicalizationMethod")
    algorithm = "" if method is None else method.get("Algorithm") or ""
    if algorithm not in c14n.METHODS or len(element) != 1 or len(element[0]) != 1:
        detail = "parameters of STR-Transform"
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail)
    return algorithm


def _filters(element: etree._Element) -> tuple[XPath, ...]:
    found = []
    for inner in element:
        operation = inner.get("Filter")
        if inner.tag != f"{{{names.FILTER2}}}XPath":
            raise failed("format", FORMAT_FAILURE, "unexpected element in a filter")
        if operation not in ("intersect", "subtract", "union"):
            raise failed("format", FORMAT_FAILURE, "Filter is none of the three")
        found.append(_xpath(inner, operation))
    if not 1 <= len(found) <= FILTERS_MAX:
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, f"{len(found)} filters")
    return tuple(found)


def _xpath(element: etree._Element, operation: str) -> XPath:
    if len(element):
        raise failed("format", FORMAT_FAILURE, "content in XPath")
    try:
        expression = xpath_syntax.read(element.text or "")
    except Unreadable as error:
        detail = f"XPath unsupported: {error}"
        raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail) from error
    return XPath(
        operation=operation,  # type: ignore[arg-type]
        expression=expression,
        prefixes={prefix: uri for prefix, uri in element.nsmap.items() if prefix},
        path=_path(element),
    )


def _path(element: etree._Element) -> tuple[int, ...]:
    """Return where `element` stands in SignedInfo; empty when it stands somewhere else."""
    path: list[int] = []
    for node in (element, *element.iterancestors()):
        if node.tag == f"{DS}SignedInfo":
            return tuple(reversed(path))
        parent = node.getparent()
        if parent is not None:
            path.append(parent.index(node))
    return ()


def drops_signatures(filtering: XPath) -> bool:
    """Recognise `not(ancestor-or-self::ds:Signature)`, the one filter in wide use."""
    call = filtering.expression
    if not (isinstance(call, xpath_syntax.Call) and call.name == "not"):
        return False
    path = call.arguments[0] if len(call.arguments) == 1 else None
    if not isinstance(path, xpath_syntax.Path) or path.start is not None or path.absolute:
        return False
    if len(path.steps) != 1 or path.steps[0].predicates:
        return False
    prefix, _, name = path.steps[0].test.rpartition(":")
    return (
        path.steps[0].axis == "ancestor-or-self"
        and name == "Signature"
        and filtering.prefixes.get(prefix) == names.DS
    )
