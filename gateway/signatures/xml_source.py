"""One parsed file with signatures in it: its Ids, its budget, what stands beside it.

Everything a signature may make us do for one file is counted here, so no file costs more
than its budget, however many references and transforms it names.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from gateway.model import Part
from gateway.signatures.allowance import Allowance
from gateway.signatures.findings import (
    FORMAT_FAILURE,
    SIG_CONSTRAINTS_FAILURE,
    SIGNED_DATA_NOT_FOUND,
    failed,
    undecided,
)
from gateway.xml.nodes import TooMany, Tree
from gateway.xml.xpath import Steps

OCTETS_MIN = 4_000_000
TIMES_MAX = 4
"""Octets that all references of a file may make us write: so many times the file, and never
less than OCTETS_MIN, which is a second or two of work."""

VISITED_MAX = 4_000_000
"""Nodes that all references of a file may make us look at."""


@dataclass(kw_only=True)
class Source:
    """A file that carries signatures."""

    root: etree._Element
    enclosing: bool
    """Whether the file is the document itself, not a signature beside it."""

    document: Part | None = None
    """What the file lies beside, when it does: the only thing a name may stand for."""

    octets_left: int = OCTETS_MIN
    visits_left: int = VISITED_MAX
    allowance: Allowance = field(default_factory=Allowance)
    """For time stamps and counter-signatures."""

    steps: Steps = field(default_factory=Steps)
    _ids: dict[str, list[etree._Element]] | None = None
    _trees: dict[etree._Element, Tree] = field(default_factory=dict)
    _written: dict[object, bytes] = field(default_factory=dict)
    _sizes: dict[etree._Element, int] = field(default_factory=dict)

    def spend(self, octets: int, visits: int = 0) -> None:
        """Take from the budget, or raise the flaw that the file costs too much."""
        self.octets_left -= octets
        self.visits_left -= visits
        if self.octets_left < 0 or self.visits_left < 0:
            raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, "references cost too much")

    def size(self, element: etree._Element) -> int:
        """Return how many nodes there are at and below `element`."""
        if element not in self._sizes:
            self._sizes[element] = sum(1 for _ in element.iter())
        return self._sizes[element]

    def tree(self, root: etree._Element) -> Tree:
        """Return the document of `root` as XPath sees it."""
        if root not in self._trees:
            try:
                self._trees[root] = Tree(root)
            except TooMany as error:
                detail = "too large for an XPath filter"
                raise undecided("reference_data", SIG_CONSTRAINTS_FAILURE, detail) from error
        self.spend(0, len(self._trees[root].nodes))
        return self._trees[root]

    def remembered(self, key: object) -> bytes | None:
        """Return what was written for `key` before: many references name the same part."""
        return self._written.get(key)

    def remember(self, key: object, octets: bytes) -> bytes:
        self.spend(len(octets))
        self._written[key] = octets
        return octets

    def by_id(self, label: str) -> etree._Element:
        """Return the one element with this Id, however the attribute is spelt.

        Two elements that anybody might take for the target are a forgery, not a choice.
        """
        found = self.ids().get(label, [])
        if len(found) > 1:
            raise failed("reference_data", FORMAT_FAILURE, "the Id referenced is not unique")
        if not found:
            raise undecided("reference_data", SIGNED_DATA_NOT_FOUND, "the Id referenced is nowhere")
        return found[0]

    def ids(self) -> dict[str, list[etree._Element]]:
        """Return the elements by the value of any attribute whose name means Id."""
        if self._ids is None:
            self._ids = {}
            for element in self.root.iter("*"):
                if not element.attrib:
                    continue
                for key, value in element.attrib.items():
                    if (
                        str(key)[-2:].lower() == "id"
                        and str(key).rpartition("}")[2].lower() == "id"
                    ):
                        bearers = self._ids.setdefault(str(value), [])
                        if element not in bearers[-1:]:
                            bearers.append(element)
        return self._ids
