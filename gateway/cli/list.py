"""`gateway list`: find submissions."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from gateway.cli import words
from gateway.cli.dates import TIME
from gateway.cli.desk import at_desk
from gateway.cli.output import Output, options_to, translated
from gateway.cli.status import mark, whole
from gateway.model import Status


@click.command(
    "list",
    help=translated(
        "Найти отправки, новые сверху. Время без пояса: UTC.",
        "Find submissions, newest first. A time without an offset is UTC.",
    ),
)
@click.option(
    "--status", type=click.Choice([str(s) for s in Status]), help=translated("Статус.", "Status.")
)
@click.option("--cause", metavar="CODE", help=translated("Код причины.", "Code of the cause."))
@click.option("--sender", help=translated("Организация.", "Organisation."))
@click.option(
    "--number",
    help=translated("Номер отчёта или направления.", "The laboratory's report or order number."),
)
@click.option("--from", "since", type=TIME, help=translated("Не раньше.", "Not before."))
@click.option("--until", type=TIME, help=translated("Раньше.", "Before."))
@click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help=translated("Не больше.", "At most."),
)
@options_to
def command(
    out: Output,
    status: str | None,
    cause: str | None,
    sender: str | None,
    number: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> None:
    given = {
        "status": status,
        "cause": cause.upper() if cause else None,
        "sender": sender,
        "number": number,
        "from": _utc(since),
        "to": _utc(until),
    }
    filters = {key: value for key, value in given.items() if value}
    rows = []
    with at_desk(out) as desk:
        for view in desk.find(filters, limit):
            if out.json:
                out.data(whole(view, desk.events(view["id"])))
            rows.append(
                (
                    mark(out, view["status"]),
                    view["id"],
                    str(view["received_at"])[:19].replace("T", " "),
                    view["organization"],
                    words.status(view["status"], out.language),
                    " ".join(sorted({p["code"] for p in view["problems"]})),
                )
            )
    columns = (
        ("", "Отправка", "Принята (UTC)", "Отправитель", "Статус", "Причины")
        if out.language == "ru"
        else ("", "Submission", "Received (UTC)", "Sender", "Status", "Causes")
    )
    out.table(columns, rows)
    out.note(out.say(f"Найдено: {len(rows)}", f"Found: {len(rows)}"))


def _utc(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat()
