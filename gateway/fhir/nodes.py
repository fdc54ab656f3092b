"""FHIR JSON as nodes: the small face that mapping and matching read documents through.

A path is a JSON pointer without or with its leading slash, relative to the node; ``*`` stands
for every item of an array, ``.`` for the node itself.  A path may begin with a resource type:
on the root of a bundle, ``DiagnosticReport`` is every entry's resource of that type.  (Types
begin with a capital, elements do not, so the two never meet.)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from gateway.fhir.references import Bundled, Entry
from gateway.fhir.tables import resource_types
from gateway.fhir.text import number_text, pointer
from gateway.model import Json, JsonValue

PATHS_KEPT_MAX = 1024
"""Paths come from code and from mapping files: there are some dozens of them."""


class JsonNode:
    """A value in a FHIR document with its absolute JSON pointer; implements `model.Node`."""

    __slots__ = ("_bundled", "_full_url", "_resource", "place", "value")

    def __init__(
        self,
        value: JsonValue,
        place: str = "",
        *,
        bundled: Bundled | None = None,
        resource: JsonNode | None = None,
        full_url: str = "",
    ) -> None:
        self.value = value
        self.place = place
        self._bundled = bundled
        self._resource = resource or self
        self._full_url = full_url

    @property
    def resource(self) -> JsonNode:
        """The resource this node is part of (the outermost: not a contained one)."""
        return self._resource

    @property
    def full_url(self) -> str:
        """The fullUrl of the bundle entry this node is part of, or empty."""
        return self._full_url

    def select(self, path: str) -> JsonValue:
        """Return the first value at `path` below this node, or None."""
        for node in self._nodes(path):
            if node.value is not None:
                return node.value
        return None

    def each(self, path: str) -> tuple[JsonNode, ...]:
        """Return the nodes at `path`, in document order; an array counts as its items."""
        found: list[JsonNode] = []
        for node in self._nodes(path):
            if isinstance(node.value, list):
                found.extend(node._children())
            elif node.value is not None:
                found.append(node)
        return tuple(found)

    def resolve(self, reference: str) -> JsonNode | None:
        """Return the resource that a literal `reference` at this node points to, or None."""
        if reference.startswith("#"):
            return self._contained(reference.removeprefix("#"))
        if self._bundled is None:
            return None
        entry = self._bundled.resolve(reference, self._full_url)
        return None if entry is None else self._of_entry(entry)

    def resources(self) -> tuple[JsonNode, ...]:
        """Return the resource of each entry, where this is the root of a bundle."""
        if self._bundled is None or self.place != self._bundled.place:
            return ()
        return tuple(self._of_entry(entry) for entry in self._bundled.entries)

    def leaves(self) -> Iterator[tuple[str, str]]:
        """Yield (absolute place, text) for every scalar below, numbers as they were written."""
        found: list[tuple[str, str]] = []
        value = self.value
        if isinstance(value, dict) and self._picked(f"{self.place}/entry"):
            value = {name: item for name, item in value.items() if name != "entry"}
            for entry in self.each("entry"):
                _gather(entry.value, entry.place, found)
        _gather(value, self.place, found)
        return iter(found)

    def _contained(self, name: str) -> JsonNode | None:
        if not name:
            return self._resource
        for node in self._resource.each("contained"):
            if isinstance(node.value, dict) and node.value.get("id") == name:
                return node
        return None

    def _nodes(self, path: str) -> list[JsonNode]:
        nodes = [self]
        for step in _steps(path):
            nodes = [child for node in nodes for child in node._step(step)]
        return nodes

    def _step(self, step: str) -> list[JsonNode]:
        if step in resource_types():
            return self._of_type(step)
        if isinstance(self.value, dict):
            return [self._child(self.value[step], step)] if step in self.value else []
        if isinstance(self.value, list):
            if step == "*":
                return self._children()
            index = int(step) if step.isascii() and step.isdigit() else len(self.value)
            if positions := self._picked(self.place):
                index = positions.index(index) if index in positions else len(self.value)
            return [self._child(self.value[index], int(step))] if index < len(self.value) else []
        return []

    def _of_type(self, name: str) -> list[JsonNode]:
        if self._is_of(name):
            return [self]
        return [node for node in self.resources() if node._is_of(name)]

    def _is_of(self, name: str) -> bool:
        return isinstance(self.value, dict) and self.value.get("resourceType") == name

    def _of_entry(self, entry: Entry) -> JsonNode:
        return JsonNode(entry.resource, entry.place, bundled=self._bundled, full_url=entry.full_url)

    def _children(self) -> list[JsonNode]:
        assert isinstance(self.value, list)
        if positions := self._picked(self.place):
            return [self._child(*pair) for pair in zip(self.value, positions, strict=True)]
        return [self._child(item, index) for index, item in enumerate(self.value)]

    def _picked(self, place: str) -> tuple[int, ...]:
        """Return the positions of a batch's entries, if `place` is where some were picked."""
        bundled = self._bundled
        if bundled is None or bundled.positions is None or place != f"{bundled.place}/entry":
            return ()
        return bundled.positions

    def _child(self, value: JsonValue, step: str | int) -> JsonNode:
        return JsonNode(
            value,
            pointer(self.place, step),
            bundled=self._bundled,
            resource=self._resource,
            full_url=self._full_url,
        )


def root(document: Json, bundled: Bundled | None = None) -> JsonNode:
    """Return the node of a whole document, a bundle with its references ready to follow."""
    bundled = bundled or Bundled(document)
    return JsonNode(document, bundled.place, bundled=bundled)


@lru_cache(maxsize=PATHS_KEPT_MAX)
def _steps(path: str) -> tuple[str, ...]:
    """Return the steps of a path as names; `.` is no step."""
    steps = (step.replace("~1", "/").replace("~0", "~") for step in path.strip("/").split("/"))
    return tuple(step for step in steps if step not in ("", "."))


def _gather(value: JsonValue, place: str, found: list[tuple[str, str]]) -> None:
    if isinstance(value, str):
        found.append((place, value))
    elif isinstance(value, dict):
        for name, item in value.items():
            _gather(item, pointer(place, name), found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _gather(item, f"{place}/{index}", found)
    elif isinstance(value, bool):
        found.append((place, "true" if value else "false"))
    elif value is not None:
        found.append((place, number_text(value)))
