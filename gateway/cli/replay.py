"""`gateway replay`: put submissions on the line again, see what changes, stop and resume."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

import click

from gateway.cli import words
from gateway.cli.dates import TIME
from gateway.cli.desk import at_desk
from gateway.cli.output import Exit, Failed, Output, Wrong, leave, options_to, translated
from gateway.cli.status import whole
from gateway.cli.workbench import Workbench, at_workbench
from gateway.model import Status

POLL_SECONDS = 0.2
WAIT_SECONDS = 3600.0

Object = dict[str, Any]


@click.command(
    "replay",
    help=translated(
        "Повторить обработку: по номерам, по причине --cause или по фильтру. --dry-run судит "
        "заново и показывает, что изменилось бы; --wait ждёт конца и показывает, что изменилось.",
        "Repeat the work: by id, by --cause or by a filter. --dry-run judges again and shows what "
        "would change; --wait waits for the end and shows what changed.",
    ),
)
@click.argument("submissions", nargs=-1)
@click.option(
    "--document",
    metavar="ID",
    help=translated("Только этот документ отправки.", "Only this document of the submission."),
)
@click.option("--cause", metavar="CODE", help=translated("Код причины.", "Code of the cause."))
@click.option(
    "--status", type=click.Choice([str(s) for s in Status]), help=translated("Статус.", "Status.")
)
@click.option("--sender", help=translated("Организация.", "Organisation."))
@click.option("--number", help=translated("Номер отчёта или направления.", "Report or order."))
@click.option("--from", "since", type=TIME, help=translated("Не раньше.", "Not before."))
@click.option("--until", type=TIME, help=translated("Раньше.", "Before."))
@click.option("--dry-run", is_flag=True, help=translated("Только показать.", "Only show."))
@click.option(
    "--rate",
    type=click.FloatRange(0.01, 1000),
    help=translated("Не больше в секунду.", "At most so many a second."),
)
@click.option("--wait", is_flag=True, help=translated("Ждать конца.", "Wait for the end."))
@click.option("--stop", metavar="RUN", help=translated("Остановить прогон.", "Stop a run."))
@click.option("--resume", metavar="RUN", help=translated("Продолжить прогон.", "Resume a run."))
@click.option("--show", metavar="RUN", help=translated("Показать прогон.", "Show a run."))
@click.option("--runs", is_flag=True, help=translated("Список прогонов.", "List the runs."))
@options_to
def command(
    out: Output,
    submissions: tuple[str, ...],
    document: str | None,
    cause: str | None,
    status: str | None,
    sender: str | None,
    number: str | None,
    since: datetime | None,
    until: datetime | None,
    dry_run: bool,
    rate: float | None,
    wait: bool,
    stop: str | None,
    resume: str | None,
    show: str | None,
    runs: bool,
) -> None:
    filters = {
        "cause": cause.upper() if cause else None,
        "status": status,
        "sender": sender,
        "number": number,
        "from": _utc(since),
        "to": _utc(until),
    }
    order: Object = {name: value for name, value in filters.items() if value}
    if sum(map(bool, (submissions, order, stop, resume, show, runs))) != 1:
        raise Wrong(
            out.say(
                "назовите отправки, или --cause, или фильтр, или прогон: что-то одно",
                "give ids, or --cause, or a filter, or a run: one of them",
            )
        )
    if document:
        _one_document(out, submissions, document, plain=not (dry_run or rate or wait))
    if stop or resume or show or runs:
        with at_workbench(out) as bench:
            _manage(out, bench, stop, resume, show, wait)
        return
    order |= {"ids": list(submissions)} if submissions else {}
    order |= {"rate": rate} if rate else {}
    _start(out, {**order, "dry_run": dry_run}, submissions, wait)


def _one_document(out: Output, named: tuple[str, ...], document: str, *, plain: bool) -> NoReturn:
    if len(named) != 1 or not plain:
        raise Wrong(
            out.say(
                "--document: с одной отправкой и без других ключей",
                "--document goes with one submission and no other option",
            )
        )
    (submission,) = named
    with at_desk(out) as desk:
        view = desk.view(submission) if desk.replay_document(submission, document) else None
        if view is None:
            line = out.say(f"документа {document} нет", f"there is no document {document}")
            out.data({"id": submission, "document": document, "error": line})
            out.complain(line)
            leave(Exit.REFUSED)
        out.data({**whole(view, desk.events(submission)), "document": document})
    out.note(out.say("Повторяется: 1", "Repeating: 1"))
    leave(Exit.GOOD)


def _start(out: Output, order: Object, named: tuple[str, ...], wait: bool) -> None:
    with at_workbench(out) as bench:
        started = bench.start(order)
        if started is None:
            _unknown(out, named)
            leave(Exit.REFUSED)
        run = started["run"]
        compared = {}
        if wait or order["dry_run"]:
            ended = _ended(bench, run["id"])
            run |= ended
            compared = {one["submission"]: one for one in ended["submissions"]}
    found = started["submissions"]
    with at_desk(out) as desk:
        for one in found:
            view = desk.view(one)
            if view is None:
                continue
            said = {**whole(view, desk.events(one)), "dry_run": order["dry_run"], "run": run["id"]}
            item = compared.get(one)
            keys = ("before", "after", "changes")
            out.data(said | ({key: item[key] for key in keys} if item else {}))
            out.text(f"  {one}  {words.status(view['status'], out.language)}")
            if item:
                _compared(out, item)
    missing = [one for one in named if one not in found]
    _unknown(out, missing)
    verb = _verb(out, run, dry_run=bool(order["dry_run"]), wait=wait)
    out.note(f"{verb} ({out.say('прогон', 'run')} {run['id']})")
    leave(Exit.REFUSED if missing else Exit.GOOD)


def _verb(out: Output, run: Object, *, dry_run: bool, wait: bool) -> str:
    """Return what became of the submissions of a run, with how many."""
    if dry_run:
        return out.say(f"Были бы повторены: {run['total']}", f"Would be repeated: {run['total']}")
    if not wait:
        return out.say(f"Повторяются: {run['total']}", f"Repeating: {run['total']}")
    done = f"{run['finished']}/{run['total']}"
    if run["state"] == "stopped":
        return out.say(f"Остановлено: {done}", f"Stopped: {done}")
    return out.say(f"Закончено: {done}", f"Done: {done}")


def _unknown(out: Output, named: Sequence[str]) -> None:
    for one in named:
        line = out.say(f"отправки {one} нет", f"there is no submission {one}")
        out.data({"id": one, "error": line})
        out.complain(line)


def _manage(
    out: Output,
    bench: Workbench,
    stop: str | None,
    resume: str | None,
    show: str | None,
    wait: bool,
) -> None:
    id = stop or resume or show
    if id is None:
        for one in bench.runs():
            out.data(one)
            _run_line(out, one)
        return
    # A look moves a run on by a step, so what is to be stopped is stopped unseen.
    found = bench.stop(id) if stop else bench.run(id)
    over = found is not None and found["state"] == "done" and not show
    if resume and found is not None and not over:
        found = bench.resume(id)
    if found is None:
        line = out.say(f"прогона {id} нет", f"there is no run {id}")
        out.data({"id": id, "error": line})
        out.complain(line)
        leave(Exit.REFUSED)
    if over:
        _already_done(out, found)
        return
    if wait and not stop:
        found = _ended(bench, id)
    out.data(found)
    _run_line(out, found)
    if found["state"] == "stopped":
        out.note(
            out.say(
                f"Продолжить: gateway replay --resume {id}", f"Go on: gateway replay --resume {id}"
            )
        )
    for item in found.get("submissions", []):
        out.text(f"  {item['submission']}")
        _compared(out, item)


def _already_done(out: Output, run: Object) -> None:
    """Say that there is nothing to stop or resume; what changed is `--show`'s to tell."""
    out.data(run)
    done = f"{run['finished']}/{run['total']}"
    line = out.say(f"прогон уже закончен: {done}", f"already done {done}")
    out.text(f"{run['id']}  {line}")


def _ended(bench: Workbench, id: str) -> Object:
    """Return a run once it is done or stopped."""
    ends = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < ends:
        run = bench.run(id)
        if run is None or run["state"] == "done":
            return run or {"submissions": []}
        if run["state"] == "stopped" and run["started"] == run["finished"]:
            return run
        time.sleep(POLL_SECONDS)
    raise Failed(f"run {id}: no end after {WAIT_SECONDS:.0f} s")


def _compared(out: Output, item: Object) -> None:
    """Show what a submission was before and after: states, codes and changed paths."""
    before, after = item["before"], item["after"]
    if after is None:
        return
    if before and _side(out, before) == _side(out, after) and not item["changes"]:
        out.text(f"      {out.say('без изменений', 'no change')}")
        return
    sides = [_side(out, side) for side in (before or {"status": "—", "codes": []}, after)]
    out.text(f"      {sides[0]} → {sides[1]}")
    for change in item["changes"]:
        paths = " ".join(change["paths"][:8])
        done = words.change(change["change"], out.language)
        out.text(out.dim(f"        {done} {change['resource']} {paths}".rstrip()))


def _side(out: Output, side: Object) -> str:
    return f"{words.status(side['status'], out.language)} {' '.join(side['codes'])}".rstrip()


def _run_line(out: Output, run: Object) -> None:
    done = f"{run['finished']}/{run['total']}"
    dry = out.say("  проба", "  dry run") if run["dry_run"] else ""
    state = words.run(run["state"], out.language)
    out.text(f"{run['id']}  {state}{dry}  {done}  {out.dim(run['reason'])}")


def _utc(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat()
