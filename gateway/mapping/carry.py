"""Taking FHIR over into FHIR: everything valid that the sender sent stays.

What changes, and nothing else: ids and references become ours, identifiers get their one
normal form, a test gets the standard codings beside its own, a unit its UCUM code.  Types and
elements that are not taken over are named in the mapping file with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.errors import Rejected
from gateway.fhir.nodes import JsonNode
from gateway.fhir.references import absolute, literal
from gateway.fhir.text import pointer
from gateway.mapping import r4
from gateway.mapping.assurance import SYSTEM as ASSURANCE
from gateway.mapping.observation import Measured
from gateway.mapping.work import Work
from gateway.model import Json, JsonValue, Problem

SOURCE_REFERENCE = "urn:gateway:source-reference"
"""Identifier system of a reference into the sender's own system, which we cannot follow."""

_SUBJECTS = ("subject", "patient", "beneficiary")
_SUBJECT_NEEDED = ("Observation", "DiagnosticReport", "Specimen")
_META_DROPPED = {
    "versionId": "a version of the sender's server; versions are counted here anew",
    "lastUpdated": "a time of the sender's server; the card has its own",
    "source": "an address of the sender's server",
}
_ORDERS = ("basedOn", "request")
_STUB = "an order without number, service and requester says nothing"
_REQUEST = "says how to store the resource, not what it is"


class Carrier:
    """Carries the entries of one bundle over."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._root = r4.root_of(work.document)
        self._report = self._root.each("DiagnosticReport")[0]
        self._subject = r4.subject_node(self._root, self._report)
        """What the bundle says of the patient."""

        several = self._subject.each("identifier") if self._subject else ()
        self._numbers = frozenset(map(self._number, several))
        self._ids: dict[str, tuple[str, str]] = {}
        """Place of an entry's resource → (type, id here)."""

        self._stubs: set[str] = set()
        """Places of orders that say nothing: no ServiceRequest is invented for them."""

        self._resources = {node.place: node for node in self._root.resources()}
        """Every entry's resource as a document of its own within the bundle."""

    def carry(self) -> None:
        """Make the resources of the bundle in hand.  Raises Rejected."""
        nodes = list(self._taken())
        for node in nodes:
            self._ids[node.place] = (_type(node), self._id(node))
        for node in nodes:
            self._work.resources.append(self._resource(node))

    def _taken(self) -> Iterator[JsonNode]:
        work = self._work
        for entry in self._root.each("entry"):
            work.dropped[f"{entry.place}/request"] = _REQUEST
            work.dropped[f"{entry.place}/response"] = _REQUEST
            work.dropped[f"{entry.place}/search"] = _REQUEST
            for node in entry.each("resource"):
                if _is_stub(node):
                    work.carried[entry.place] = _STUB
                    self._stubs.add(node.place)
                elif _type(node) in work.mapping.carry:
                    yield self._resources[node.place]
                else:
                    reason = "this type of resource is no part of the card; the original keeps it"
                    work.carried[entry.place] = reason

    def _id(self, node: JsonNode) -> str:
        kind = _type(node)
        if kind == "Patient" and self._work.context.patient is not None:
            return self._work.context.patient
        return self._work.new_id(kind, "\x1f".join(self._key(node, kind)))

    def _key(self, node: JsonNode, kind: str) -> tuple[str, ...]:
        """Return the words the business knows a resource by."""
        work = self._work
        identifier = self._first_identifier(node)
        match kind:
            case "DiagnosticReport":
                return work.scope("performer"), r4.report_number(self._root, node)
            case "ServiceRequest":
                number = r4.order_number(node)
                return (work.scope("ordering"), number) if number else (work.scope("report"),)
            case "Specimen":
                accession = str(node.select("accessionIdentifier/value") or "")
                return work.scope("performer"), accession or identifier or work.scope("report")
            case "Organization" | "Practitioner":
                names = (str(node.select("name/*/text") or ""), str(node.select("name") or ""))
                return (identifier or "\x1f".join(names),)
            case "Observation":
                codes = sorted(str(c.value) for c in node.each("code/coding/*/code"))
                text = str(node.select("code/text") or "")
                specimen = self._specimen_key(node)
                # Not its identifier: many exports make a fresh one each time.
                return work.scope("report"), specimen, *(codes or (text,))
        return work.scope("report"), identifier

    def _specimen_key(self, node: JsonNode) -> str:
        reference = node.select("specimen/reference")
        found = node.resolve(reference) if isinstance(reference, str) else None
        if found is None:
            return ""
        return str(found.select("accessionIdentifier/value") or self._first_identifier(found))

    def _first_identifier(self, node: JsonNode) -> str:
        """Return the identifier that sorts first, so the order they are written in is nothing."""
        found = []
        for item in node.each("identifier"):
            value = item.select("value")
            if isinstance(value, str):
                found.append("|".join(self._number(item)))
        return min(found, default="")

    def _number(self, identifier: JsonNode) -> tuple[str, str]:
        """Return system and value of an Identifier in their normal form."""
        system, value = r4.identifier_system(identifier), identifier.select("value")
        return self._normal(system, value if isinstance(value, str) else "")

    def _normal(self, system: str, value: str) -> tuple[str, str]:
        identifiers = self._work.mapping.identifiers
        if identifiers.canonical_system(system) is None:
            return system, value
        read = identifiers.normalise(system, value, "")
        return (system, value) if isinstance(read, Problem) else (read.system, read.value)

    def _resource(self, node: JsonNode) -> Json:
        kind, id_ = self._ids[node.place]
        value = node.value
        assert isinstance(value, dict)
        made: Json = {"resourceType": kind, "id": id_}
        left_out = self._work.mapping.carry[kind]
        here = f"{kind}/{id_}"
        self._work.mapped.append((f"{node.place}/resourceType", f"{here}#resourceType"))
        self._work.mapped.append((f"{node.place}/id", f"{here}#id"))
        full_url = node.place.removesuffix("resource") + "fullUrl"
        self._work.mapped.append((full_url, f"{here}#id"))
        for name, item in value.items():
            place = pointer(node.place, name)
            if name in ("resourceType", "id"):
                continue
            if name in left_out:
                self._work.dropped[place] = left_out[name]
            elif name == "meta":
                self._meta(made, item, place, here)
            elif name in _ORDERS and self._stubs:
                self._orders(made, name, node, here)
            else:
                made[name] = self._copy(item, place, name, f"{here}#{name}", node)
        self._about_patient(made, node)
        self._inside(made, node)
        if kind in _SUBJECT_NEEDED:
            made.setdefault("subject", self._work.patient_reference())
        if kind == "Observation":
            Measured(self._work, node).complete(made)
        return made

    def _orders(self, made: Json, name: str, node: JsonNode, here: str) -> None:
        """Take over what a resource is based on, but for orders that are none."""
        kept: list[JsonValue] = []
        for one in node.each(name):
            reference = one.select("reference")
            target = node.resolve(reference) if isinstance(reference, str) else None
            if target is not None and target.place in self._stubs:
                self._work.dropped[one.place] = _STUB
            else:
                where = f"{here}#{name}[{len(kept)}]"
                kept.append(self._copy(one.value, one.place, name, where, node))
        if kept:
            made[name] = kept

    def _meta(self, made: Json, meta: JsonValue, place: str, here: str) -> None:
        """Keep what the sender's meta says of the content; nobody else gives an assurance."""
        assert isinstance(meta, dict)
        kept: Json = {}
        for name, item in meta.items():
            if name in _META_DROPPED:
                self._work.dropped[f"{place}/{name}"] = _META_DROPPED[name]
                continue
            if name == "tag" and isinstance(item, list):
                item = [tag for tag in item if not self._own_tag(tag, item, f"{place}/tag")]
                if not item:
                    continue
            kept[name] = item
            self._leaves(item, f"{place}/{name}", f"{here}#meta.{name}")
        if kept:
            made["meta"] = kept

    def _own_tag(self, tag: JsonValue, tags: list[JsonValue], place: str) -> bool:
        if not isinstance(tag, dict) or tag.get("system") != ASSURANCE:
            return False
        reason = "only the gateway says how sure it is"
        self._work.dropped[f"{place}/{tags.index(tag)}"] = reason
        return True

    def _copy(
        self, value: JsonValue, place: str, name: str, here: str, node: JsonNode
    ) -> JsonValue:
        """Return `value` with references, identifiers and addresses made ours."""
        if name == "implicitRules" or (name == "modifierExtension" and isinstance(value, list)):
            self._work.stop("MAP-111", place)
        if isinstance(value, list):
            return [
                self._copy(item, f"{place}/{i}", name, f"{here}[{i}]", node)
                for i, item in enumerate(value)
            ]
        if not isinstance(value, dict):
            if value is not None:
                self._work.mapped.append((place, here))
            return self._address(value, node) if name == "url" else value
        copied: Json = {
            key: self._copy(item, pointer(place, key), key, f"{here}.{key}", node)
            for key, item in value.items()
        }
        if isinstance(value.get("reference"), str):
            return self._reference(copied, place, node)
        if name == "identifier":
            return self._identifier(copied)
        return copied

    def _address(self, value: JsonValue, node: JsonNode) -> JsonValue:
        """Point an attachment that lies in the same bundle to where it lies now."""
        if isinstance(value, str) and value.startswith("urn:"):
            target = node.resolve(value)
            if target is not None and target.place in self._ids:
                return "/".join(self._ids[target.place])
        return value

    def _identifier(self, identifier: Json) -> Json:
        system, value = identifier.get("system"), identifier.get("value")
        if isinstance(system, str) and isinstance(value, str):
            identifier["system"], identifier["value"] = self._normal(system, value)
        return identifier

    def _reference(self, reference: Json, place: str, node: JsonNode) -> Json:
        text = reference["reference"]
        assert isinstance(text, str)
        if text.startswith("#"):
            return reference
        target = node.resolve(text)
        if target is not None and target.place in self._ids:
            return {**reference, "reference": "/".join(self._ids[target.place])}
        named = literal(text)
        if self._is_subject(text, node):
            return {**reference, **self._work.patient_reference()}
        # A reference into the sender's own system leads nowhere here: it stays as a logical one.
        logical = {key: item for key, item in reference.items() if key != "reference"}
        logical.setdefault("identifier", {"system": SOURCE_REFERENCE, "value": text})
        if named is not None:
            logical.setdefault("type", named.type)
        return logical

    def _is_subject(self, text: str, node: JsonNode) -> bool:
        """Say whether a reference is the report's own to a patient that is not in the bundle.

        Where only one of them tells its server, type and id decide.
        """
        written = self._report.select("subject/reference")
        if not isinstance(written, str):
            return False
        ours, theirs = absolute(written, self._report.full_url), absolute(text, node.full_url)
        if ours is None or theirs is None:
            return text == written
        alike = (ours.type, ours.id) == (theirs.type, theirs.id) and ours.type == "Patient"
        return alike and (ours.base == theirs.base or not (ours.base and theirs.base))

    def _inside(self, made: Json, node: JsonNode) -> None:
        """See to what a resource contains: it is about the same patient, and no result.

        A contained result is none that consents, corrections and searches know of.
        """
        copies = made.get("contained")
        several = copies if isinstance(copies, list) else []
        for inside, copy in zip(node.each("contained"), several, strict=True):
            assert isinstance(copy, dict)
            if _type(inside) == "Observation":
                raise Rejected(Problem(code="MAP-116", place=inside.place))
            self._about_patient(copy, inside)

    def _about_patient(self, made: Json, node: JsonNode) -> None:
        """See that a resource is about the patient of the report, and says so."""
        if _type(node) == "Patient" and not self._is_same(node):
            raise _of_another(node, node.place)
        ours = self._work.patient_reference()
        for name in _SUBJECTS:
            subject = made.get(name)
            if not isinstance(subject, dict):
                continue
            if not self._is_ours(subject, node):
                raise _of_another(node, f"{node.place}/{name}")
            if self._is_patient(subject, node):
                made[name] = {**subject, **ours}

    def _is_same(self, patient: JsonNode) -> bool:
        """Say whether a Patient is the one that the report names."""
        if self._subject is not None and self._subject.place == patient.place:
            return True
        return any(self._number(item) in self._numbers for item in patient.each("identifier"))

    def _is_ours(self, subject: Json, node: JsonNode) -> bool:
        """Say whether a subject is the report's patient (or a thing, such as a device).

        What names the patient in two ways must name the same one in both.
        """
        reference, identifier = subject.get("reference"), subject.get("identifier")
        number = self._number(JsonNode(identifier)) if identifier else None
        if isinstance(reference, str):
            if number and number not in self._numbers and number[0] in dict(self._numbers):
                return False
            if reference.startswith("#"):
                found = node.resolve(reference)
                return found is None or _type(found) != "Patient" or self._is_same(found)
            ours = self._work.patient_reference().get("reference")
            return reference == ours or not reference.startswith("Patient/")
        if subject.get("type") not in (None, "Patient"):
            return True
        return number in self._numbers if number else self._is_called(str(subject.get("display")))

    def _is_called(self, words: str) -> bool:
        """Say whether words alone may mean the report's patient: they hold the family name.

        Where nobody says the name, they are the report's own words.
        """
        facts = self._work.facts
        family = facts.patient.name.family if facts.patient.name else ""
        if facts.report.anonymous or not family:
            return facts.report.anonymous or words == self._report.select("subject/display")
        return family.casefold() in words.casefold()

    def _is_patient(self, subject: Json, node: JsonNode) -> bool:
        """Say whether a subject that is ours is written as something else than the reference."""
        reference = subject.get("reference")
        if isinstance(reference, str):
            found = node.resolve(reference) if reference.startswith("#") else None
            return found is not None and _type(found) == "Patient"
        return subject.get("type") in (None, "Patient")

    def _leaves(self, value: JsonValue, place: str, here: str) -> None:
        for leaf, _ in JsonNode(value, place).leaves():
            self._work.mapped.append((leaf, here))


def resources(work: Work) -> None:
    """Make the resources of the bundle in hand.  Raises Rejected."""
    Carrier(work).carry()


def _is_stub(node: JsonNode) -> bool:
    """Say whether a resource is an order only in name (ОДЛИ sends them where there is none)."""
    if _type(node) != "ServiceRequest" or r4.order_number(node):
        return False
    return not any(node.each(name) for name in ("code", "orderDetail", "requester", "reasonCode"))


def _of_another(node: JsonNode, place: str) -> Rejected:
    return Rejected(Problem(code="MAP-112", place=place, detail={"type": _type(node)}))


def _type(node: JsonNode) -> str:
    assert isinstance(node.value, dict), node.place
    return str(node.value.get("resourceType"))
