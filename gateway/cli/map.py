"""`gateway map`: the mapping files and the example tests beside them."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.output import (
    Exit,
    Output,
    Wrong,
    leave,
    options,
    options_before,
    translated,
)
from gateway.errors import Rejected
from gateway.formats.interface import formats
from gateway.mapping import examples
from gateway.mapping.catalogue import BadMapping, Catalogue
from gateway.model import Assurance, Document, SignedContent, Unreadable
from gateway.patients import identifiers

MAPPINGS = Path(__file__).parents[2] / "mappings"


@click.group(
    "map",
    help=translated(
        "Файлы соответствий: список и примеры рядом с ними.",
        "Mapping files: the list, and the examples beside them.",
    ),
)
@options_before
def command(**before: object) -> None:
    pass


@command.command("test", help=translated("Прогнать примеры.", "Run the examples."))
@click.argument("name", required=False)
@options
def run_examples(out: Output, name: str | None) -> None:
    try:
        results = examples.run(_catalogue(), _parse, name)
    except LookupError as error:
        reason = out.say(f"нет файла соответствий {name}", f"no mapping file {name}")
        raise Wrong(reason) from error
    out.data(
        {
            "passed": list(results.passed),
            "failed": [{"name": f.name, "reason": f.reason} for f in results.failed],
        }
    )
    for title in results.passed:
        out.text(f"{out.mark(True)} {title}")
    for failure in results.failed:
        out.text(f"{out.mark(False)} {failure.name}: {failure.reason}")
    if results.failed:
        leave(Exit.REFUSED)


@command.command("list", help=translated("Список файлов.", "List the files."))
@options
def list_mappings(out: Output) -> None:
    rows = [(m.name, str(m.version), m.format) for m in _catalogue().mappings]
    for name, version, fmt in rows:
        out.data({"name": name, "version": int(version), "format": fmt})
    columns = (
        out.say("Файл", "File"),
        out.say("Версия", "Version"),
        out.say("Формат", "Format"),
    )
    out.table(columns, rows)


def _catalogue() -> Catalogue:
    try:
        return Catalogue.load(MAPPINGS, identifiers)
    except BadMapping as error:
        raise Wrong(str(error)) from error


def _parse(name: str, octets: bytes) -> Document:
    form = formats()[name]
    content = SignedContent(
        octets=octets,
        media_type=form.MEDIA_TYPES[0],
        assurance=Assurance.SIGNED,
        report=None,
    )
    document = form.parse(content)[0]
    if isinstance(document, Unreadable):
        raise Rejected(*document.problems)
    return document
