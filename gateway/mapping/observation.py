"""What an Observation from a sender's FHIR gains: standard codings and UCUM units."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.fhir.nodes import JsonNode
from gateway.mapping import codes, units
from gateway.mapping.work import Used, Work, collected_on
from gateway.model import CodeUse, Json, JsonValue

TRANSLATION = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation"
"""Extension of a Quantity: the same quantity in the unit it was sent in."""

_NSI_SPELLINGS = (units.NSI, units.NSI.removeprefix("urn:oid:"))


class Measured:
    """Completes one carried Observation, its components included."""

    def __init__(self, work: Work, node: JsonNode) -> None:
        self._work = work
        self._node = node

    def complete(self, made: Json) -> None:
        """Add codings and unit codes to `made`, the copy of the node."""
        self._result(made, self._node.place)
        components = made.get("component")
        for index, component in enumerate(components if isinstance(components, list) else []):
            if isinstance(component, dict):
                self._result(component, f"{self._node.place}/component/{index}")

    def _result(self, made: Json, place: str) -> None:
        test = self._code(made, place)
        quantity = made.get("valueQuantity")
        if isinstance(quantity, dict) and "value" in quantity:
            self._unit(quantity, f"{place}/valueQuantity", test, made)
        for limit in _limits(made):
            self._unit_code(limit)

    def _code(self, made: Json, place: str) -> codes.Test | None:
        concept = made.get("code")
        if not isinstance(concept, dict):
            return None
        coding = concept.get("coding")
        given = [c for c in (coding if isinstance(coding, list) else []) if isinstance(c, dict)]
        test = self._find(given, made, place)
        if test is None:
            standard = any(
                codes.canonical_system(_text(c, "system")) in codes.STANDARD for c in given
            )
            measured = any(name.startswith("value") for name in made)
            if measured and not standard:
                named = self._use(given, made, "")
                self._work.ask_code(f"{place}/code", _systems(given), named)
            return None
        known = {(codes.canonical_system(_text(c, "system")), _text(c, "code")) for c in given}
        added = [c for c in codes.codings(test) if (c["system"], c["code"]) not in known]
        concept["coding"] = [*given, *added]
        return test

    def _find(self, given: list[Json], made: Json, place: str) -> codes.Test | None:
        table = self._work.mapping.codes
        for coding in given:
            if test := table.find(_text(coding, "system"), _text(coding, "code")):
                return test
        day = collected_on(self._collected())
        for coding in given or [_worded(made)]:
            system, code = _text(coding, "system"), _text(coding, "code")
            if code and (test := self._work.test(system, code, day)):
                use = self._use([coding], made, test.key)
                place = f"{place}/code"
                self._work.used.append(Used(use=use, place=place, day=day))
                return test
        return None

    def _use(self, given: list[Json], made: Json, test: str) -> CodeUse:
        """Return how the laboratory uses its code here: name, unit and specimen."""
        coding = next((one for one in given if _text(one, "code")), _worded(made))
        concept = made["code"]
        assert isinstance(concept, dict)
        quantity = made.get("valueQuantity")
        unit = ""
        if isinstance(quantity, dict):
            written = _text(quantity, "unit") or _text(quantity, "code")
            known = self._work.mapping.units.find(written)
            unit = known.ucum if known else written
        return CodeUse(
            system=_text(coding, "system"),
            code=_text(coding, "code"),
            test=test,
            name=(_text(coding, "display") or _text(concept, "text")).strip(),
            unit=unit.strip(),
            specimen=self._specimen(),
        )

    def _specimen(self) -> str:
        reference = self._node.select("specimen/reference")
        specimen = self._node.resolve(reference) if isinstance(reference, str) else None
        if specimen is None:
            return ""
        for path in ("type/coding/*/code", "type/text"):
            found = specimen.select(path)
            if isinstance(found, str):
                return found.strip()
        return ""

    def _collected(self) -> str | None:
        reference = self._node.select("specimen/reference")
        specimen = self._node.resolve(reference) if isinstance(reference, str) else None
        paths = ("collection/collectedDateTime", "collection/collectedPeriod/start")
        for node, path in (
            *((specimen, path) for path in paths),
            (self._node, "effectiveDateTime"),
            (self._node, "effectivePeriod/start"),
        ):
            found = node.select(path) if node is not None else None
            if isinstance(found, str):
                return found
        return None

    def _unit(self, quantity: Json, place: str, test: codes.Test | None, made: Json) -> None:
        if self._unit_code(quantity):
            return
        written = _text(quantity, "unit") or _text(quantity, "code")
        if not written and (test is None or not test.needs_unit):
            return
        system, code = _standard(made)
        unit = self._work.unit(written, place, system, code)
        if unit is not None:
            quantity.update({"system": units.UCUM, "code": unit.ucum})
            quantity.setdefault("unit", unit.ru)

    def _unit_code(self, quantity: Json) -> bool:
        """Give a quantity its UCUM code; False when its unit is not known or not there."""
        system, code = _text(quantity, "system"), _text(quantity, "code")
        if system == units.UCUM and code:
            return True
        table = self._work.mapping.units
        unit = table.by_nsi(code) if system in _NSI_SPELLINGS else None
        unit = unit or table.find(_text(quantity, "unit")) or (None if system else table.find(code))
        if unit is None:
            return False
        if code:
            translated: Json = {
                key: quantity[key] for key in ("value", "unit", "system", "code") if key in quantity
            }
            extensions = quantity.get("extension")
            others: list[JsonValue] = list(extensions) if isinstance(extensions, list) else []
            quantity["extension"] = [*others, {"url": TRANSLATION, "valueQuantity": translated}]
        quantity.update({"system": units.UCUM, "code": unit.ucum})
        quantity.setdefault("unit", unit.ru)
        return True


def _limits(made: Json) -> Iterator[Json]:
    """Yield the quantities beside the value: limits of ranges."""
    ranges = made.get("referenceRange")
    spans = [made.get("valueRange"), *(ranges if isinstance(ranges, list) else [])]
    for span in spans:
        for name in ("low", "high"):
            limit = span.get(name) if isinstance(span, dict) else None
            if isinstance(limit, dict):
                yield limit


def _text(value: Json, name: str) -> str:
    text = value.get(name)
    return text if isinstance(text, str) else ""


def _worded(made: Json) -> Json:
    """Return the coding of a test that is named by words alone."""
    concept = made.get("code")
    return {"system": "", "code": _text(concept, "text")} if isinstance(concept, dict) else {}


def _standard(made: Json) -> tuple[str, str]:
    """Return the code of a test as everybody knows it, else as the laboratory does."""
    concept = made.get("code")
    coding = concept.get("coding") if isinstance(concept, dict) else None
    given = [c for c in (coding if isinstance(coding, list) else []) if isinstance(c, dict)]
    for one in given:
        if _text(one, "system") in (codes.FSLI, codes.LOINC):
            return _text(one, "system"), _text(one, "code")
    return (_text(given[0], "system"), _text(given[0], "code")) if given else ("", "")


def _systems(given: list[Json]) -> str:
    return ", ".join(_text(coding, "system") or "?" for coding in given) or "?"
