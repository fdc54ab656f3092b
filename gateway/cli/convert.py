"""`gateway convert FILE`: the R4 record a file maps to; `--ledger`: what became of every piece.

The one verb that shows patient data: it shows the user's own file in other words.  Needs no
home and no signature; what it prints is not believed by anybody.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import click

from gateway.cli import documents
from gateway.cli.output import Exit, Output, Wrong, leave, options, translated
from gateway.errors import Rejected
from gateway.model import (
    Assurance,
    Document,
    Json,
    Part,
    PatientRecord,
    SignedContent,
    Unreadable,
)

PATIENT = "00000000-0000-4000-8000-000000000000"
"""A throwaway patient number: nothing is looked up or kept."""


@click.command(
    "convert",
    help=translated(
        "Запись FHIR R4, в которую отображается документ: Bundle на stdout; с --ledger: что стало"
        " с каждым элементом источника. Показывает данные пациента из файла.",
        "The FHIR R4 record a document maps to: a Bundle on stdout; with --ledger: what became of"
        " every piece of the source. Shows the patient's data in the file.",
    ),
)
@click.argument("file")
@click.option("--profile", help=translated("Профиль отправителя.", "The sender's profile."))
@click.option("--ledger", is_flag=True, help=translated("Опись отображения.", "The ledger."))
@click.option("--media-type", help=translated("Вид документа.", "Media type."))
@options
def command(
    out: Output, file: str, profile: str | None, ledger: bool, media_type: str | None
) -> None:
    from gateway.api import present
    from gateway.fhir import text

    given = documents.read(out, file, None, media_type)
    pieces = _parsed(given.document)
    broken = [one for one in pieces if isinstance(one, Unreadable)]
    if len(broken) == len(pieces):
        raise Rejected(*(problem for one in broken for problem in one.problems))
    for one in broken:
        codes = ", ".join(problem.code for problem in one.problems)
        out.complain(
            out.say(f"{one.place}: не читается ({codes})", f"{one.place}: unreadable ({codes})")
        )
    records = [
        _record(out, one, given.document, profile) for one in pieces if isinstance(one, Document)
    ]
    if ledger:
        merged: dict[str, list[Any]] = {name: [] for name in present.LEDGER}
        for record in records:
            for name, rows in present.ledger(record.ledger).items():
                merged[name] += rows
        _show_ledger(out, merged)
    else:
        entries: list[Any] = [
            {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
            for record in records
            for resource in record.resources
        ]
        bundle: Json = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        out.raw(text.dumps(bundle).decode("utf-8"))
    leave(Exit.REFUSED if broken else Exit.GOOD)


def _parsed(document: Part) -> tuple[Document | Unreadable, ...]:
    """Return the documents in a file, unwrapped from an attached signature if there is one."""
    from gateway.algorithms import standard
    from gateway.pipeline import parse
    from gateway.signatures.interface import forms

    octets, media_type = document.body, document.media_type
    if media_type == documents.SUFFIXES[".p7m"]:
        algorithms = standard("auto")
        found = [one for form in forms().values() for one in form.check(document, (), algorithms)]
        covered = [part for one in found for part in one.covered]
        if covered:
            octets = covered[0].octets
            start = octets[:64].lstrip()
            media_type = documents.XML if start.startswith(b"<") else documents.FHIR_JSON
    return parse(
        SignedContent(
            octets=octets, media_type=media_type, assurance=Assurance.CHANNEL, report=None
        )
    )


def _record(out: Output, document: Document, part: Part, profile: str | None) -> PatientRecord:
    from gateway.mapping import engine
    from gateway.mapping.context import MappingContext, Original

    catalogue = _catalogue(out)
    if profile is not None:
        wanted = f"{document.format}/{profile}"
        known = [mapping.name for mapping in catalogue.mappings]
        if wanted not in known:
            raise Wrong(
                out.say(f"нет профиля {wanted}: есть ", f"there is no profile {wanted}, only ")
                + ", ".join(known)
            )
    context = MappingContext(
        patient=PATIENT,
        submission="convert",
        document=f"convert-{document.ordinal + 1}",
        assurance=Assurance.CHANNEL,
        kept_at=datetime.now(UTC),
        original=Original(
            sha256=hashlib.sha256(part.body).hexdigest(),
            size=len(part.body),
            media_type=part.media_type,
        ),
        organization="convert",
    )
    return engine.record(catalogue.choose(document, profile), document, context)


def _catalogue(out: Output) -> Any:
    from gateway.cli import local
    from gateway.mapping.catalogue import Catalogue
    from gateway.patients import identifiers

    return Catalogue.load(local.settings(out).mappings, identifiers)


def _show_ledger(out: Output, merged: dict[str, list[Any]]) -> None:
    out.data(merged)
    for name, rows in merged.items():
        for row in rows:
            out.text(f"{name}\t{row['source']}\t{row.get('target') or row.get('reason')}")
