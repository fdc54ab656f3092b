"""References in FHIR resources: finding them, following them in a bundle, rewriting them.

Source: https://hl7.org/fhir/R4/bundle.html#references and references.html#literal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.fhir.tables import resource_types
from gateway.fhir.text import pointer
from gateway.model import Json, JsonValue

_LITERAL = re.compile(
    r"(?P<base>https?://\S+/)?(?P<type>[A-Za-z]+)/(?P<id>[A-Za-z0-9.-]{1,64})"
    r"(?:/_history/(?P<version>[A-Za-z0-9.-]{1,64}))?"
)


class Literal(NamedTuple):
    """A literal reference to a resource on a FHIR server, taken apart."""

    base: str
    """Ends in a slash; empty for a relative reference."""

    type: str
    id: str
    version: str
    """Empty where any version is meant."""


class Found(NamedTuple):
    """A Reference in a resource, with its JSON pointer."""

    place: str
    node: Json


class Entry(NamedTuple):
    """A resource in a bundle, with the JSON pointer of the resource."""

    place: str
    full_url: str
    resource: Json


def literal(reference: str) -> Literal | None:
    """Take a literal reference apart; None when it does not name type and id.

    >>> literal("http://x/fhir/Patient/2/_history/1")
    Literal(base='http://x/fhir/', type='Patient', id='2', version='1')
    >>> literal("urn:uuid:0") is None
    True
    """
    match = _LITERAL.fullmatch(reference)
    if match is None or (match["base"] and match["type"] not in resource_types()):
        return None
    return Literal(match["base"] or "", match["type"], match["id"], match["version"] or "")


def absolute(reference: str, source: str) -> Literal | None:
    """Take a reference apart that stands in an entry of fullUrl `source`.

    A relative one is relative to that entry's server.
    """
    parts, own = literal(reference), literal(source)
    return parts._replace(base=own.base) if parts and own and not parts.base else parts


class Bundled:
    """The resources of one bundle, to be found by what references say."""

    def __init__(
        self, bundle: Json, place: str = "", positions: tuple[int, ...] | None = None
    ) -> None:
        """`place` is where `bundle` stands itself, when it is an entry of a batch.

        `positions` are those its entries have in the batch they were picked from.
        """
        self.bundle = bundle
        self.place = place
        self.positions = positions
        self.entries = tuple(self._entries())
        self._by_url: _Named = {}
        self._by_identity: _Named = {}
        for entry in self.entries:
            if entry.full_url:
                _note(self._by_url, entry.full_url, entry)
            for identity in _identities(entry):
                _note(self._by_identity, identity, entry)

    def position(self, index: int) -> int:
        """Return the position, in what was sent, of the entry that is `index`-th here."""
        return index if self.positions is None else self.positions[index]

    def resolve(self, reference: str, source: str = "") -> Entry | None:
        """Return the entry `reference` points to, or None.

        `source` is the fullUrl of the entry the reference stands in.  Where its server tells
        nothing, type and id decide.  A name that two different resources bear leads nowhere,
        lest a result go to the first of two patients; two versions are told apart by number.
        """
        if reference in self._by_url:
            return _meant(self._by_url[reference])
        parts = absolute(reference, source)
        if parts is None:
            return None
        identity = f"{parts.type}/{parts.id}"
        if versions := self._by_url.get(parts.base + identity):
            return _meant(versions, parts.version)
        is_relative = reference.startswith(f"{parts.type}/")
        return _meant(self._by_identity.get(identity, {}), parts.version) if is_relative else None

    def _entries(self) -> Iterator[Entry]:
        entries = self.bundle.get("entry")
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if not isinstance(entry, dict):
                continue
            resource, full_url = entry.get("resource"), entry.get("fullUrl")
            if isinstance(resource, dict):
                url = full_url if isinstance(full_url, str) else ""
                place = f"{self.place}/entry/{self.position(index)}/resource"
                yield Entry(place, url, resource)


_Named = dict[str, dict[str, Entry | None]]
"""Name → version it says to be → entry; None where two different ones bear both."""


def _identities(entry: Entry) -> Iterator[str]:
    """Yield type and id as the resource tells them, and as its fullUrl does, which may differ."""
    if isinstance(id_ := entry.resource.get("id"), str):
        yield f"{entry.resource.get('resourceType')}/{id_}"
    if url := literal(entry.full_url):
        yield f"{url.type}/{url.id}"


def _note(named: _Named, name: str, entry: Entry) -> None:
    meta = entry.resource.get("meta")
    version = str(meta.get("versionId", "")) if isinstance(meta, dict) else ""
    known = named.setdefault(name, {}).setdefault(version, entry)
    if known is not None and known.resource != entry.resource:
        named[name][version] = None


def _meant(versions: dict[str, Entry | None], version: str = "") -> Entry | None:
    """Return the entry of that version, or one that does not say which it is; the only one."""
    if version:
        return versions.get(version) or versions.get("")
    return next(iter(versions.values())) if len(versions) == 1 else None


def walk(node: JsonValue, place: str = "") -> Iterator[Found]:
    """Yield every Reference at or below `node`, in document order."""
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield Found(place, node)
        for name, value in node.items():
            if isinstance(value, dict | list):
                yield from walk(value, pointer(place, name))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, pointer(place, index))


def rewrite(node: Json, replace: Callable[[str], str | None]) -> Json:
    """Return a copy of `node` whose literal references went through `replace`.

    A reference for which `replace` answers None stays as it is, as do references to
    contained resources.
    """
    copy = _rewritten(node, replace)
    assert isinstance(copy, dict)
    return copy


def _rewritten(node: JsonValue, replace: Callable[[str], str | None]) -> JsonValue:
    if isinstance(node, list):
        return [_rewritten(item, replace) for item in node]
    if not isinstance(node, dict):
        return node
    copy: Json = {name: _rewritten(value, replace) for name, value in node.items()}
    reference = node.get("reference")
    if isinstance(reference, str) and not reference.startswith("#"):
        new = replace(reference)
        copy["reference"] = reference if new is None else new
    return copy
