"""`gateway replay`: put submissions on the line again, by id or by what stopped them."""

from __future__ import annotations

import click

from gateway.cli import words
from gateway.cli.desk import at_desk
from gateway.cli.output import Exit, Output, Wrong, leave, options_to, translated
from gateway.cli.status import whole


@click.command(
    "replay",
    help=translated(
        "Повторить обработку: по номерам или всех, кого остановила причина --cause.",
        "Repeat the work: by id, or of all that were stopped by --cause.",
    ),
)
@click.argument("submissions", nargs=-1)
@click.option("--cause", metavar="CODE", help=translated("Код причины.", "Code of the cause."))
@click.option(
    "--dry-run", is_flag=True, help=translated("Только показать, кого.", "Only show which.")
)
@options_to
def command(out: Output, submissions: tuple[str, ...], cause: str | None, dry_run: bool) -> None:
    if bool(submissions) == bool(cause):
        raise Wrong(
            out.say("назовите отправки или --cause, одно из двух", "give ids or --cause, not both")
        )
    with at_desk(out) as desk:
        found = desk.replay(submissions, cause.upper() if cause else None, dry_run)
        for one in found:
            view = desk.view(one)
            if view is not None:
                out.data({**whole(view, desk.events(one)), "dry_run": dry_run})
                out.text(f"  {one}  {words.status(view['status'], out.language)}")
    missing = [one for one in submissions if one not in found]
    for one in missing:
        out.complain(out.say(f"отправки {one} нет", f"there is no submission {one}"))
    verb = (
        out.say("Были бы повторены", "Would be repeated")
        if dry_run
        else out.say("Повторяются", "Repeating")
    )
    out.note(f"{verb}: {len(found)}")
    leave(Exit.REFUSED if missing else Exit.GOOD)
