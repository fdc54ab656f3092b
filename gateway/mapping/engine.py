"""The mapping engine: a document and a mapping file → facts, then FHIR R4 resources.

FHIR is carried over (`carry`), every other format is built from the rows of its mapping file
(`build`).  Both go through the same desk, so both end with a ledger of every leaf.
"""

from __future__ import annotations

from collections.abc import Mapping as ReadOnly
from dataclasses import replace

from gateway.errors import NeedsOperator, Rejected
from gateway.fhir import structure
from gateway.mapping import assurance, build, carry, drift, envelope, labels, r4
from gateway.mapping.context import MappingContext
from gateway.mapping.definition import Mapping
from gateway.mapping.work import Work
from gateway.model import Document, Facts, Json, PatientRecord, Problem

PROBLEMS_MAX = 100
"""A document with one unknown code on every line says so this many times."""


def facts(mapping: Mapping, document: Document) -> Facts:
    """Read who and what `document` is about.

    Raises Rejected (PAT-101, MAP-114) and NeedsOperator (MAP-113) with the place.
    """
    warnings: list[Problem] = []
    if mapping.rules:
        read = build.facts(mapping, document, warnings)
    else:
        read = r4.facts(mapping, document, warnings)
    return replace(read, problems=tuple(warnings))


def record(
    mapping: Mapping, document: Document, context: MappingContext, read: Facts | None = None
) -> PatientRecord:
    """Return what `document` adds to the card: resources with ids, and the ledger.

    `read` are the document's facts, from a caller who has read them.
    Raises NeedsOperator with everything a person must decide (MAP-1xx), Rejected for what
    only the sender can mend.
    """
    read = read or facts(mapping, document)
    work = Work(
        mapping=mapping,
        document=document,
        facts=read,
        context=context,
        carried=_below(document, mapping.carried),
        dropped=_below(document, mapping.dropped),
        warnings=list(read.problems),
    )
    if mapping.rules:
        build.resources(work)
    else:
        carry.resources(work)
    drift.check(work)
    if work.stops:
        questions = tuple(work.questions[:PROBLEMS_MAX])
        raise NeedsOperator(*work.stops[:PROBLEMS_MAX], questions=questions)
    _settle_patient(work)
    original = envelope.document_reference(work)
    work.resources.append(original)
    work.resources.append(envelope.provenance(work, original))
    labels.spread(work)
    for resource in work.resources:
        assurance.tag(resource, context.assurance)
    _check(work)
    return PatientRecord(
        resources=tuple(work.resources),
        ledger=work.ledger(),
        mapping=mapping.title,
        problems=tuple(work.warnings),
        uses=tuple(work.learnt),
        decisions=tuple(work.ruled),
    )


def _below(document: Document, reasons: ReadOnly[str, str]) -> dict[str, str]:
    """Return a mapping's reasons by absolute place: in a batch a document stands deeper."""
    here = document.root.place
    return {here + place: reason for place, reason in reasons.items()}


def _settle_patient(work: Work) -> None:
    """Put the card's Patient first; anonymous testing leaves none (semantics, rule 11)."""
    sent: list[Json] = [r for r in work.resources if r["resourceType"] == "Patient"]
    work.resources[:] = [r for r in work.resources if r["resourceType"] != "Patient"]
    if work.context.patient is None:
        return
    patient: Json = sent[0] if sent else {"resourceType": "Patient", "id": work.context.patient}
    work.resources.insert(0, work.context.card(patient))


def _check(work: Work) -> None:
    """Refuse a resource that is not R4: what the rows made of the source must be FHIR."""
    problems: list[Problem] = []
    for resource in work.resources:
        place = f"{resource['resourceType']}/{resource['id']}"
        for found in structure.problems(resource, place):
            detail = {"code": found.code}
            problems.append(Problem(code="MAP-115", place=found.place, detail=detail))
    if problems:
        raise Rejected(*problems[:PROBLEMS_MAX])
