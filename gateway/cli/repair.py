"""`gateway repair`: what waits for a person, and one answer for all that ask the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

import click

from gateway.cli import words
from gateway.cli.answering import explained
from gateway.cli.dates import DAY
from gateway.cli.output import (
    Exit,
    Output,
    TurnedAway,
    Wrong,
    leave,
    options_before,
    options_to,
    problem_json,
    translated,
)
from gateway.cli.workbench import at_workbench
from gateway.errors import Rejected

Object = dict[str, Any]

ANSWERS = ("test", "unit", "card", "consent")


@click.group(
    "repair",
    help=translated(
        "Вопросы, которые ждут человека: список, подсказки, решение для всех сразу, отмена.",
        "Questions that wait for a person: list, suggestions, one decision for all, undo.",
    ),
)
@options_before
def command(**before: object) -> None:
    pass


@command.command(
    "list",
    help=translated("Что ждёт решения, самое частое сверху.", "What waits, the most asked first."),
)
@click.option("--cause", metavar="CODE", help=translated("Код причины.", "Code of the cause."))
@options_to
def list_waiting(out: Output, cause: str | None) -> None:
    with at_workbench(out) as bench:
        found = bench.waiting(cause.upper() if cause else None)
    for one in found:
        out.data(one)
    out.table(
        ("ID", "Код", "О чём", "Отправитель", "Ждут")
        if out.language == "ru"
        else ("ID", "Code", "About", "Sender", "Waiting"),
        [
            (one["id"], one["cause"], about(one), one["organization"], str(one["waiting"]))
            for one in found
        ],
    )
    out.note(out.say(f"Вопросов: {len(found)}", f"Questions: {len(found)}"))


@command.command(
    "show", help=translated("Вопрос целиком и подсказки.", "A question with suggestions.")
)
@click.argument("question")
@options_to
def show(out: Output, question: str) -> None:
    with at_workbench(out) as bench:
        found = bench.repair(question)
    if found is None:
        _missing(out, question)
    out.data(found)
    out.text(f"{click.style(found['cause'], fg='yellow', bold=True)}  {found['title']}")
    out.text(f"  {about(found)}  {out.dim(found['place'])}")
    for name, value in found["facts"].items():
        if value:
            out.text(f"    {name}: {value}")
    for one in found["suggestions"]:
        title = one["title"] or out.say("отдельная карта", "a card of its own")
        out.text(f"  --{found['answer']} {one['answer']}  {title}  {out.dim(one['why'])}".rstrip())
    waiting = found["waiting"]
    out.text(out.say(f"  Документов ждёт: {waiting}", f"  Documents waiting: {waiting}"))
    for one in found["history"]:
        _decision_line(out, one)


@command.command(
    "decide",
    help=translated(
        "Решить вопрос один раз для всех ждущих документов; они обрабатываются снова.",
        "Settle a question once for every waiting document; they are worked again.",
    ),
)
@click.argument("question")
@click.option(
    "--test",
    metavar="CODE",
    help=translated(
        "Тест: код ФСЛИ или LOINC; same — смысл прежний (MAP-109).",
        "Test: ФСЛИ or LOINC code; same: it means what it meant (MAP-109).",
    ),
)
@click.option("--unit", help=translated("Единица (UCUM).", "Unit (UCUM)."))
@click.option(
    "--card",
    metavar="ID",
    help=translated("Карта пациента или new.", "The patient's card, or new."),
)
@click.option(
    "--consent",
    type=click.Choice(["none"]),
    help=translated(
        "none — хранить и никому не отправлять без согласия (CON-301).",
        "none: store it and send it to nobody without a consent (CON-301).",
    ),
)
@click.option(
    "--from",
    "first_day",
    type=DAY,
    help=translated(
        "Первый день взятия материала, с которого решение действует.",
        "First day of specimen collection the decision holds for.",
    ),
)
@click.option("--note", default="", help=translated("Пояснение.", "A note."))
@click.option(
    "--rate",
    type=click.FloatRange(0.01, 1000),
    help=translated("Не больше повторов в секунду.", "At most so many replays a second."),
)
@options_to
def decide(
    out: Output,
    question: str,
    test: str | None,
    unit: str | None,
    card: str | None,
    consent: str | None,
    first_day: datetime | None,
    note: str,
    rate: float | None,
) -> None:
    given = {"test": test, "unit": unit, "card": card, "consent": consent}
    order: Object = {name: value for name, value in given.items() if value}
    if len(order) != 1:
        raise Wrong(
            out.say(
                "нужен один ответ: --test, --unit, --card или --consent",
                "give one answer: --test, --unit, --card or --consent",
            )
        )
    if first_day is not None:
        order["from"] = first_day.date().isoformat()
    order |= {"note": note} if note else {}
    order |= {"rate": rate} if rate else {}
    with at_workbench(out) as bench:
        try:
            settled = bench.decide(question, order)
        except Rejected as refused:
            found = [problem_json(one, out.language) for one in refused.problems]
            raise TurnedAway(explained(out, bench, question, given, found), Exit.REFUSED) from None
        except TurnedAway as refused:
            refused.problems = explained(out, bench, question, given, refused.problems)
            raise
    if settled is None:
        _missing(out, question)
    out.data({"id": question, **settled})
    _decision_line(out, settled["decision"])
    run = settled["replay"]
    out.note(
        out.say(
            f"Повторяются документы: {run['total']} (прогон {run['id']})",
            f"Replaying: {run['total']} (run {run['id']})",
        )
    )


@command.command("decisions", help=translated("Действующие решения.", "The decisions that stand."))
@options_to
def decisions(out: Output) -> None:
    with at_workbench(out) as bench:
        found = bench.decisions()
    for one in found:
        out.data(one)
        _decision_line(out, one, one["documents"])
    out.note(out.say(f"Решений: {len(found)}", f"Decisions: {len(found)}"))


@command.command(
    "undo",
    help=translated(
        "Отменить решение: опиравшиеся на него и ещё не доставленные документы судятся заново."
        " Доставленные заново не судятся: они становятся открытыми делами (gateway items), а"
        " исправление присылает лаборатория.",
        "Take a decision back: documents that rest on it and are not yet delivered are judged"
        " again. Delivered ones are not: they become open items (gateway items), and the"
        " laboratory must send a correction.",
    ),
)
@click.argument("decision")
@options_to
def undo(out: Output, decision: str) -> None:
    with at_workbench(out) as bench:
        undone = bench.undo(decision)
    if undone is None:
        _missing(out, decision)
    out.data(undone)
    opened, left = len(undone["documents"]), len(undone["open_items"])
    out.note(
        out.say(
            f"Отменено; снова на линии: {opened}, открытых дел: {left}",
            f"Undone; on the line again: {opened}, open items: {left}",
        )
    )
    if left:
        out.note(
            out.say(
                "Уже доставленное заново не судится: gateway items list; исправление присылает"
                " лаборатория.",
                "What was delivered is not judged again: gateway items list; the laboratory must"
                " send a correction.",
            )
        )


def about(one: Object) -> str:
    """Return what a question is about, in a few words."""
    subject = one["subject"]
    if "document" in subject or "destination" in subject:
        return str(subject.get("document") or subject["destination"])
    name = one.get("facts", {}).get("name") or subject.get("name") or ""
    word = subject.get("unit") if one["cause"] == "MAP-108" else subject.get("code")
    return f"{word or subject.get('code', '')} {name}".strip()


def _decision_line(out: Output, one: Object, documents: int | None = None) -> None:
    """Show a decision: what about, what was answered, how many documents rest on it."""
    since = f"  ≥ {one['from']}" if one["from"] else ""
    good = out.mark(not one.get("undone_at"))
    rest = f", {_documents(out, documents)}" if documents is not None else ""
    decided = f"{about(one)} → {_answer(one['answer'])}{rest}"
    out.text(f"{good} {one['id']}  {one['cause']}  {decided}{since}  {out.dim(one['by'])}")
    if one["note"]:
        out.text(f"    {out.say('Пояснение', 'Note')}: {one['note']}")
    if one.get("undone_at"):
        when = f"{one['undone_by']}  {one['undone_at']}"
        out.text(out.dim(f"    {out.say('отменено', 'undone')}: {when}"))


def _answer(answer: Object) -> str:
    """Return an answer as it is given to `decide`.

    >>> _answer({"test": "1003870"}), _answer({"card": "7", "kind": "new"})
    ('1003870', '7 (new)')
    """
    if "same" in answer:
        return "same"
    said = next((str(answer[name]) for name in ANSWERS if name in answer), "")
    return f"{said} ({answer['kind']})" if "kind" in answer else said


def _documents(out: Output, count: int) -> str:
    english = f"{count} document" if count == 1 else f"{count} documents"
    return out.say(words.count(count, "документ", "документа", "документов"), english)


def _missing(out: Output, id: str) -> NoReturn:
    line = out.say(f"нет такого: {id}", f"there is no {id}")
    out.data({"id": id, "error": line})
    out.complain(line)
    leave(Exit.REFUSED)
