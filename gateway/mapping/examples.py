"""The example tests beside the mapping files: `default.example.xml` → `default.expected.json`.

An example says what a mapping file promises better than a description does: it is run by
`gateway map test`, by the test suite, and by whoever edits the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import GatewayError
from gateway.fhir import text
from gateway.mapping import engine
from gateway.mapping.catalogue import Catalogue
from gateway.mapping.context import MappingContext, Original
from gateway.mapping.definition import Mapping
from gateway.model import Assurance, Document, Json, JsonValue

PATIENT = "00000000-0000-4000-8000-000000000001"
KEPT_AT = datetime(2026, 1, 1, tzinfo=UTC)

Parse = Callable[[str, bytes], Document]
"""(name of the format, bytes) → the document."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    name: str
    reason: str
    """Where the outcome first differs, or the codes it was refused with."""


@dataclass(frozen=True, kw_only=True)
class ExampleResults:
    passed: tuple[str, ...]
    failed: tuple[Failure, ...]


def run(catalogue: Catalogue, parse: Parse, name: str | None = None) -> ExampleResults:
    """Run the examples of mapping `name` (`lab_xml/default`), or all.

    Raises LookupError when no mapping has that name.  A mapping without an example fails.
    """
    chosen = [m for m in catalogue.mappings if name in (None, m.name)]
    if not chosen:
        raise LookupError(name)
    passed: list[str] = []
    failed: list[Failure] = []
    for mapping in chosen:
        examples = list(_examples(catalogue.folder, mapping))
        if not examples:
            failed.append(Failure(name=mapping.name, reason="no example beside the file"))
        for example in examples:
            title = example.relative_to(catalogue.folder).as_posix()
            reason = _difference(mapping, parse, example)
            if reason is None:
                passed.append(title)
            else:
                failed.append(Failure(name=title, reason=reason))
    return ExampleResults(passed=tuple(passed), failed=tuple(failed))


def outcome(mapping: Mapping, parse: Parse, example: Path) -> Json:
    """Return what an example is mapped to, as its expected file holds it."""
    octets = example.read_bytes()
    document = parse(mapping.format, octets)
    context = MappingContext(
        patient=PATIENT,
        submission="example",
        document="example",
        assurance=Assurance.SIGNED,
        kept_at=KEPT_AT,
        original=Original(
            sha256=hashlib.sha256(octets).hexdigest(),
            size=len(octets),
            media_type="application/octet-stream",
        ),
        organization="example",
    )
    record = engine.record(mapping, document, context)
    ledger: Json = {
        "mapped": [[source, target] for source, target in record.ledger.mapped],
        "carried": [[place, reason] for place, reason in record.ledger.carried],
        "dropped": [[place, reason] for place, reason in record.ledger.dropped],
    }
    return {"resources": list(record.resources), "ledger": ledger}


def expected_of(example: Path) -> Path:
    """Return where the expected outcome of an example stands."""
    return example.with_name(example.name.split(".example.")[0] + ".expected.json")


def _examples(folder: Path, mapping: Mapping) -> Iterator[Path]:
    base = folder / mapping.name
    yield from sorted(base.parent.glob(f"{base.name}.example.*"))
    yield from sorted(base.parent.glob(f"{base.name}.*.example.*"))


def _difference(mapping: Mapping, parse: Parse, example: Path) -> str | None:
    try:
        made = text.loads(text.dumps(outcome(mapping, parse, example)))
    except GatewayError as error:
        return str(error)
    expected = expected_of(example)
    if not expected.exists():
        return f"no {expected.name}"
    return _first_difference(made, text.loads(expected.read_bytes()), "")


def _first_difference(made: JsonValue, wanted: JsonValue, place: str) -> str | None:
    if isinstance(made, dict) and isinstance(wanted, dict):
        for name in [*wanted, *(name for name in made if name not in wanted)]:
            if name not in made or name not in wanted:
                return f"{place}/{name} is {'missing' if name not in made else 'not expected'}"
            if found := _first_difference(made[name], wanted[name], f"{place}/{name}"):
                return found
        return None
    if isinstance(made, list) and isinstance(wanted, list):
        for index, (left, right) in enumerate(zip(made, wanted, strict=False)):
            if found := _first_difference(left, right, f"{place}/{index}"):
                return found
        return None if len(made) == len(wanted) else f"{place} has {len(made)} items"
    # Compared as printed: 5.0 and 5.00 are one number and two texts.
    same = text.dumps(made) == text.dumps(wanted)
    return None if same else f"{place} differs"
