"""`gateway audit verify`: recompute the log of who did what, and its signed heads."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from gateway.cli import local
from gateway.cli.dates import TIME
from gateway.cli.output import (
    Exit,
    Output,
    Wrong,
    leave,
    options,
    options_before,
    translated,
)


@click.group("audit", help=translated("Журнал действий.", "The audit log."))
@options_before
def command(**before: object) -> None:
    pass


@command.command(
    "verify",
    help=translated(
        "Пересчитать цепочку журнала и подписанные вершины; найти первую испорченную запись.",
        "Recompute the log's chain and its signed heads; find the first bad entry.",
    ),
)
@click.option("--since", type=TIME, help=translated("С этого времени.", "From this time on."))
@click.option(
    "--to",
    "url",
    metavar="URL",
    help=translated(
        "Не принимается: журнал проверяют там, где он лежит.",
        "Not taken: a log is verified where it lies.",
    ),
)
@options
def verify(out: Output, since: datetime | None, url: str | None) -> None:
    if url is not None:
        # Over HTTP the gateway would vouch for itself: that proves nothing to anybody.
        raise Wrong(
            out.say(
                "audit verify работает только в доме на этой машине (--home): по сети шлюз"
                " поручился бы сам за себя. Издали проверяют квитанцию: receipt R-… --to URL",
                "audit verify works on the local home only (--home): over the network the"
                " gateway would vouch for itself. From afar verify a receipt: receipt R-… --to URL",
            )
        )
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    with local.opened(out) as gateway:
        verdict = gateway.store.verify_audit(since)
    out.data(
        {
            "valid": verdict.valid,
            "entries": verdict.entries,
            "first_bad": verdict.first_bad,
            "reason": verdict.reason,
        }
    )
    if verdict.valid:
        out.text(
            f"{out.mark(True)} "
            + out.say(
                f"Журнал цел, записей: {verdict.entries}", f"Intact, {verdict.entries} entries"
            )
        )
        leave(Exit.GOOD)
    out.text(
        f"{out.mark(False)} "
        + out.say(
            f"Журнал изменён ({verdict.reason}), первая испорченная запись: {verdict.first_bad}",
            f"The log was changed ({verdict.reason}); first bad entry: {verdict.first_bad}",
        )
    )
    leave(Exit.REFUSED)
