"""`gateway status ID`: where a submission is, why, and what happened to it."""

from __future__ import annotations

import time
from typing import Any

import click

from gateway.cli import words
from gateway.cli.desk import Desk, at_desk
from gateway.cli.output import Exit, Failed, Output, leave, options_to, translated

POLL_SECONDS = 0.2
FINAL = ("accepted", "rejected", "needs_info", "replaced", "withdrawn")
DELIVERY_FINAL = ("delivered", "registered", "refused", "dead", "held")
EXITS = {"rejected": Exit.REFUSED, "needs_info": Exit.UNDECIDED}


@click.command(
    "status",
    help=translated(
        "Состояние отправки и её события. С --follow ждёт конца, показывая события.",
        "State of a submission and its events. With --follow waits for the end, showing events.",
    ),
)
@click.argument("submission")
@click.option(
    "--follow", "-f", is_flag=True, help=translated("Следить до конца.", "Follow to the end.")
)
@options_to
def command(out: Output, submission: str, follow: bool) -> None:
    with at_desk(out) as desk:
        view = require(out, desk, submission)
        events = desk.events(submission)
        if follow:
            view, events = _follow(out, desk, view, events)
        else:
            for event in events:
                out.text(event_line(out, event))
    out.data(whole(view, events))
    summary(out, view)
    leave(EXITS.get(view["status"], Exit.GOOD))


def require(out: Output, desk: Desk, submission: str) -> dict[str, Any]:
    """Return a submission that must be there; ends the verb with 1 when it is not."""
    view = desk.view(submission)
    if view is None:
        line = out.say(f"отправки {submission} нет", f"there is no submission {submission}")
        out.data({"id": submission, "error": line})
        out.complain(line)
        leave(Exit.REFUSED)
    return view


def whole(view: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the JSON of a submission with its events (contract, section 2)."""
    return {**view, "events": events}


def finished(view: dict[str, Any]) -> bool:
    """Say whether nothing more will happen to a submission by itself."""
    states = [d["state"] for document in view["documents"] for d in document["deliveries"]]
    return view["status"] in FINAL and all(state in DELIVERY_FINAL for state in states)


def event_line(out: Output, event: dict[str, Any]) -> str:
    took = event.get("duration_ms")
    unit = out.say("мс", "ms")
    tail = f"  {took:.0f} {unit}" if isinstance(took, int | float) else ""
    pairs = event.get("detail", {}).items()
    detail = " ".join(f"{words.detail(key, out.language)}={value}" for key, value in pairs)
    at = str(event["at"])[:23].replace("T", " ")
    name = words.event(event["name"], out.language)
    return f"  {out.dim(at)}  {name}{out.dim(tail)}  {out.dim(detail)}".rstrip()


def summary(out: Output, view: dict[str, Any]) -> None:
    """Show a submission for people: state, problems with what to do, deliveries."""
    out.text(
        f"{mark(out, view['status'])} {view['id']}  {words.status(view['status'], out.language)}"
    )
    for problem in view["problems"]:
        problem_lines(out, problem)
    for document in view["documents"]:
        for delivery in document["deliveries"]:
            state = words.delivery(delivery["state"], out.language)
            reference = out.dim(delivery["reference"] or "")
            out.text(f"    → {delivery['destination']}: {state}  {reference}")
            if delivery["problem"]:
                problem_lines(out, delivery["problem"])


def problem_lines(out: Output, problem: dict[str, Any]) -> None:
    """Show one problem of /v1 for people."""
    color = "yellow" if problem.get("warning") else "red"
    code = click.style(problem["code"], fg=color, bold=True)
    place = f"  {out.dim(problem['place'])}" if problem.get("place") else ""
    out.text(f"    {code}  {problem['reason']}{place}")
    out.text(out.dim(f"      {out.say('Что делать', 'What to do')}: {problem['fix']}"))


def mark(out: Output, status: str) -> str:
    good = {"rejected": False, "needs_info": None}.get(status, True)
    return out.mark(good) if status in FINAL else "…"


def _follow(
    out: Output, desk: Desk, view: dict[str, Any], events: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    shown = 0
    while True:
        for event in events[shown:]:
            out.text(event_line(out, event))
        shown = max(shown, len(events))
        if finished(view):
            return view, events
        time.sleep(POLL_SECONDS)
        found = desk.view(view["id"])
        if found is None:
            raise Failed(out.say("отправка исчезла", "the submission is gone"))
        view, events = found, desk.events(view["id"])
