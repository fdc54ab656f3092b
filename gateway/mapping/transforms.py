"""The words a mapping row may put behind `as`: how a text of the source becomes FHIR.

Each takes the desk, the row and the node of its resource, and yields what to put where and
the places it was read from.  What it cannot decide it lays on the desk for a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from gateway.fhir.text import Written
from gateway.mapping import codes, ranges, times, units, values
from gateway.mapping.definition import Row
from gateway.mapping.work import Used, Work, collected_on
from gateway.model import CodeUse, Json, JsonValue, Node, Problem

AS_WRITTEN = "urn:gateway:value-as-written"
"""Extension of an Observation: the value exactly as the laboratory wrote it."""

LOCAL = "urn:gateway:local-code"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
CODE_SYSTEMS = {"fsli": codes.FSLI, "loinc": codes.LOINC}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A value, the element it goes to and the places it came from."""

    to: str
    value: JsonValue
    places: tuple[str, ...] = ()


Transform = Callable[[Work, Row, Node], Iterator[Made]]


def words(node: Node, path: str | None) -> list[tuple[str, str]]:
    """Return (text, place) of everything at `path` below `node`."""
    found = node.each(path) if path else ()
    return [(str(item.select(".") or ""), item.place) for item in found]


def word(node: Node, path: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Return the first text at `path` and its place; (None, ()) when there is none."""
    found = words(node, path)
    return (found[0][0], (found[0][1],)) if found else (None, ())


def _text(work: Work, row: Row, node: Node) -> Iterator[Made]:
    found = words(node, row.source)
    if row.value is not None:
        if row.source is None or found:
            yield Made(to=row.to, value=row.value)
        return
    if not found and "default" in row.options:
        yield Made(to=row.to, value=row.options["default"])
    for text, place in found:
        if row.map and text not in row.map:
            work.stop("MAP-105", place)
            continue
        yield Made(to=row.to, value=row.map.get(text, text.strip()), places=(place,))


def _moment(work: Work, row: Row, node: Node) -> Iterator[Made]:
    """A date or time; with `of` and `by`, taken from the node of another rule."""
    source = _target(work, row, node)
    if source is None:
        return
    for text, place in words(source, row.source):
        try:
            yield Made(to=row.to, value=times.written(text, work.mapping.zone), places=(place,))
        except times.NoZone:
            work.stop("MAP-113", place)
        except times.NotATime:
            work.stop("MAP-114", place)


def _identifier(work: Work, row: Row, node: Node) -> Iterator[Made]:
    for item in node.each(row.source or "."):
        system, places = option(item, row.options["system"])
        raw = str(item.select(".") or "")
        found = work.mapping.identifiers.normalise(system, raw, item.place)
        if isinstance(found, Problem):
            work.stops.append(found)
            continue
        identifier: Json = {"system": found.system, "value": found.value}
        yield Made(to=row.to, value=identifier, places=(item.place, *places))


def option(node: Node, path: str) -> tuple[str, tuple[str, ...]]:
    """Return a constant (`=word`) or the text at a path, with its place."""
    if path.startswith("="):
        return path[1:], ()
    text, places = word(node, path)
    return text or "", places


def _name(work: Work, row: Row, node: Node) -> Iterator[Made]:
    for item in node.each(row.source or "."):
        name: Json = {"use": "official"}
        places: list[str] = []
        given: list[JsonValue] = []
        for part in ("family", "given", "patronymic"):
            text, where = word(item, row.options[part])
            if text is None:
                continue
            places.extend(where)
            if part == "family":
                name["family"] = text.strip()
            else:
                given.append(text.strip())
        if given:
            name["given"] = given
        yield Made(to=row.to, value=name, places=tuple(places))


def _concept(work: Work, row: Row, node: Node) -> Iterator[Made]:
    """A text with an optional code beside it; or a code alone where `text` is not given."""
    for item in node.each(row.source or "."):
        code, code_places = word(item, row.options["code"])
        text, text_places = word(item, row.options.get("text"))
        concept: Json = {}
        if code is not None:
            concept["coding"] = [{"system": row.options["system"], "code": code}]
        if text is not None:
            concept["text"] = text.strip()
        yield Made(
            to=row.to, value=concept, places=tuple(dict.fromkeys((*code_places, *text_places)))
        )


def _annotation(work: Work, row: Row, node: Node) -> Iterator[Made]:
    for text, place in words(node, row.source):
        yield Made(to=row.to, value={"text": text.strip()}, places=(place,))


def _patient(work: Work, row: Row, node: Node) -> Iterator[Made]:
    yield Made(to=row.to, value=work.patient_reference())


def _reference(work: Work, row: Row, node: Node) -> Iterator[Made]:
    """References to all resources of rule `of`, or to the one whose label stands at `by`."""
    rule = row.options["of"]
    label, places = word(node, row.options.get("by"))
    if (row.source and not node.each(row.source)) or ("by" in row.options and label is None):
        return
    for (name, other), (reference, target) in work.references.items():
        if name != rule or (label is not None and other != label):
            continue
        within = row.options.get("within")
        if within is not None and not target.place.startswith(node.place + "/"):
            continue
        yield Made(to=row.to, value={"reference": reference}, places=places)


def _target(work: Work, row: Row, node: Node) -> Node | None:
    if "of" not in row.options:
        return node
    label, _ = word(node, row.options.get("by"))
    found = work.references.get((row.options["of"], label or ""))
    return found[1] if found else None


def _test(work: Work, row: Row, node: Node) -> Iterator[Made]:
    """The code of a test: the laboratory's own coding and the standard ones beside it."""
    code, places = word(node, row.source)
    kind, kind_places = word(node, row.options["system"])
    name, name_places = word(node, row.options.get("name"))
    assert code is not None
    test = _find_test(work, row, node)
    system = CODE_SYSTEMS.get(kind or "", LOCAL)
    use = CodeUse(
        system=system,
        code=code,
        test=test.key if test else "",
        name=(name or "").strip(),
        unit=_unit_written(work, row, node),
        specimen=_specimen(work, row, node),
    )
    if test is None:
        work.ask_code(places[0], kind or LOCAL, use)
        return
    if system == LOCAL:
        day = _collected(work, row, node)
        work.used.append(Used(use=use, place=places[0], day=day))
    own: Json = {"system": system, "code": code}
    if name and system == LOCAL:
        own["display"] = name.strip()
    standard = [c for c in codes.codings(test) if (c["system"], c["code"]) != (system, code)]
    coding: list[JsonValue] = [own, *standard]
    concept: Json = {"coding": coding, "text": (name or test.name).strip()}
    yield Made(to=row.to, value=concept, places=(*places, *kind_places, *name_places))


def _find_test(work: Work, row: Row, node: Node) -> codes.Test | None:
    code, _ = word(node, row.source)
    kind, _ = word(node, row.options["system"])
    system, day = CODE_SYSTEMS.get(kind or "", LOCAL), _collected(work, row, node)
    found = work.mapping.codes.find(system, code or "") if system != LOCAL else None
    return found or work.test(system, code or "", day)


def _unit_written(work: Work, row: Row, node: Node) -> str:
    """Return the unit beside a test: its UCUM code where it is known, else as written."""
    text, _ = word(node, row.options.get("unit"))
    found = work.mapping.units.find(text) if text else None
    return found.ucum if found else (text or "").strip()


def _specimen(work: Work, row: Row, node: Node) -> str:
    """Return the specimen a test was made of: its code, else what it is called."""
    target = _target(work, row, node)
    for path in ("type_code", "type"):
        text, _ = word(target, row.options.get(path)) if target is not None else (None, ())
        if text and text.strip():
            return text.strip()
    return ""


def _collected(work: Work, row: Row, node: Node) -> date | None:
    target = _target(work, row, node)
    text, _ = word(target, row.options.get("collected")) if target is not None else (None, ())
    return collected_on(text.strip() if text else None)


def _value(work: Work, row: Row, node: Node) -> Iterator[Made]:
    """The result: value[x] or dataAbsentReason, with the text as it was written."""
    text, places = word(node, row.source)
    if text is None:
        yield Made(to="dataAbsentReason", value=_absent("unknown"))
        return
    try:
        value = values.read(text, work.mapping.decimal_mark)
    except values.Ambiguous:
        work.stop("MAP-107", places[0])
        return
    except values.NotPrintable:
        work.stop("MAP-106", places[0])
        return
    unit, unit_places = word(node, row.options.get("unit"))
    measured = _measure(work, row, node, value, unit)
    if measured is None:
        return
    to, made = measured
    used = (*places, *unit_places) if isinstance(value, values.Quantity | values.Span) else places
    if unit_places and used == places:
        work.carried[unit_places[0]] = "a unit beside a value that has none; the original keeps it"
    yield Made(to=to, value=made, places=used)
    yield Made(to="extension[]", value={"url": AS_WRITTEN, "valueString": text.strip()})


def _measure(
    work: Work, row: Row, node: Node, value: values.Value, unit: str | None
) -> tuple[str, JsonValue] | None:
    match value:
        case values.Quantity():
            quantity = _quantity(work, row, node, value.number, unit)
            if quantity is not None and value.comparator:
                quantity["comparator"] = value.comparator
            return None if quantity is None else ("valueQuantity", quantity)
        case values.Span():
            low = _quantity(work, row, node, value.low, unit, tail=value.tail)
            high = _quantity(work, row, node, value.high, unit, tail=value.tail)
            return None if low is None else ("valueRange", {"low": low, "high": high})
        case values.Titre():
            parts: Json = {
                "numerator": {"value": decimal(value.numerator)},
                "denominator": {"value": decimal(value.denominator)},
            }
            return "valueRatio", parts
        case values.Word():
            concept: Json = {
                "coding": [{"system": value.system, "code": value.code}],
                "text": value.text,
            }
            return "valueCodeableConcept", concept
        case values.Absent():
            return "dataAbsentReason", _absent(value.code, value.text)
        case values.Free():
            return "valueString", value.text


def _quantity(
    work: Work, row: Row, node: Node, number: values.Number, unit: str | None, tail: str = ""
) -> Json | None:
    quantity: Json = {"value": decimal(number)}
    written = (unit or tail).strip()
    test = None
    if not written or work.mapping.units.find(written) is None:
        code = Row(to="", source=row.options["code"], options=row.options)
        test = _find_test(work, code, node)
        if not written and (test is None or not test.needs_unit):
            return quantity
    place = _place_of(node, row.options.get("unit")) if written else node.place
    found = work.unit(
        written, place, codes.FSLI if test and test.fsli else codes.LOINC, test.key if test else ""
    )
    if found is None:
        return None
    quantity.update({"unit": written or found.ru, "system": units.UCUM, "code": found.ucum})
    return quantity


def _place_of(node: Node, path: str | None) -> str:
    _, places = word(node, path)
    return places[0] if places else node.place


def _range(work: Work, row: Row, node: Node) -> Iterator[Made]:
    text, places = word(node, row.source)
    if text is None:
        return
    read = ranges.read(text, work.facts.patient.sex, work.mapping.decimal_mark)
    made: Json = {}
    unit, _ = word(node, row.options.get("unit"))
    found = work.mapping.units.find(unit) if unit else None
    for name, limit in (("low", read.low), ("high", read.high)):
        if limit is None:
            continue
        quantity: Json = {"value": exact(limit)}
        if unit and found:
            quantity.update({"unit": unit.strip(), "system": units.UCUM, "code": found.ucum})
        made[name] = quantity
    made["text"] = read.text
    yield Made(to=row.to, value=made, places=places)


def _absent(code: str, text: str | None = None) -> Json:
    reason: Json = {"coding": [{"system": ABSENT, "code": code}]}
    return {**reason, "text": text} if text else reason


def decimal(number: values.Number) -> Decimal:
    """Return a number that prints in JSON with the digits it was written with."""
    return exact(number.value)


def exact(value: Decimal) -> Decimal:
    """Return a decimal that JSON prints without an exponent (`1E-7` is not what was written)."""
    plain = format(value, "f")
    return value if str(value) == plain else Written(plain)


TRANSFORMS: dict[str, Transform] = {
    "text": _text,
    "moment": _moment,
    "identifier": _identifier,
    "name": _name,
    "concept": _concept,
    "annotation": _annotation,
    "patient": _patient,
    "reference": _reference,
    "test": _test,
    "value": _value,
    "range": _range,
}
