"""Why an answer to a question of `gateway repair` was not taken, in the words of the terminal.

The gateway says FMT-109 in the words of /v1: a member of a JSON body and what it expects.  At
the terminal the member is an option, and what was looked for in a table was not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.cli.output import Output
from gateway.cli.workbench import Workbench

Object = dict[str, Any]

BAD_VALUE = "FMT-109"
OTHER_OPTION = "answer"
SHOWN_MAX = 64
"""Characters of what was typed that are said back."""


def explained(
    out: Output,
    bench: Workbench,
    question: str,
    given: Mapping[str, str | None],
    problems: Sequence[Object],
) -> list[Object]:
    """Return the problems of a refused answer with reason and fix for a person at a terminal.

    `given` is what each option of `decide` was given.  Other problems stay as they are.
    """
    found = []
    for one in problems:
        said = _said(out, bench, question, given, one) if one.get("code") == BAD_VALUE else None
        found.append({**one, "reason": said[0], "fix": said[1]} if said else one)
    return found


def _said(
    out: Output, bench: Workbench, question: str, given: Mapping[str, str | None], one: Object
) -> tuple[str, str] | None:
    place = str(one.get("place", "")).strip("/")
    show = f"gateway repair show {question}"
    if place == OTHER_OPTION:
        asked = (bench.repair(question) or {}).get("answer")
        if asked is None:
            return None
        return (
            out.say(f"На этот вопрос отвечает --{asked}.", f"This question takes --{asked}."),
            out.say(
                f"gateway repair decide {question} --{asked} …; подсказки: {show}",
                f"gateway repair decide {question} --{asked} …; suggestions: {show}",
            ),
        )
    if place == "from":
        return (
            out.say("--from бывает только с --test.", "--from goes with --test only."),
            out.say("Повторите без --from.", "Say it again without --from."),
        )
    written = given.get(place)
    return _unknown(out, place, written[:SHOWN_MAX], show) if written else None


def _unknown(out: Output, place: str, written: str, show: str) -> tuple[str, str] | None:
    """Say that what was given is in no table; None for a place that has none."""
    reasons = {
        "test": (
            f"Кода {written} нет в таблицах тестов (ФСЛИ, LOINC).",
            f"The code {written} is not in the tables of tests (ФСЛИ, LOINC).",
        ),
        "unit": (
            f"Единицы {written} нет в таблице единиц (UCUM).",
            f"The unit {written} is not in the table of units (UCUM).",
        ),
        "card": (f"Карты {written} нет.", f"There is no card {written}."),
    }
    if place not in reasons:
        return None
    fix = out.say(f"Возьмите ответ из подсказок: {show}", f"Take a suggested answer: {show}")
    if place == "card":
        fix += out.say("; новая карта: --card new", "; a card of its own: --card new")
    return out.say(*reasons[place]), fix
