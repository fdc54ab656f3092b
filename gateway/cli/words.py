"""Words of the states and outcomes, as people read them in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gateway.sandbox.stories import Facts

STATUS = {
    "ru": {
        "received": "В обработке",
        "processing": "В обработке",
        "needs_info": "Требуется уточнение",
        "accepted": "Принято",
        "rejected": "Отклонено",
        "replaced": "Заменено",
        "withdrawn": "Отозвано",
    },
    "en": {
        "received": "In progress",
        "processing": "In progress",
        "needs_info": "Needs clarification",
        "accepted": "Accepted",
        "rejected": "Rejected",
        "replaced": "Replaced",
        "withdrawn": "Withdrawn",
    },
}

EVENTS = {
    "received": "принято шлюзом",
    "processing": "взято в работу",
    "identify": "поиск пациента",
    "consent": "согласие и получатели",
    "map": "отображение",
    "place": "место в серии",
    "settled": "записано",
    "accepted": "в карте",
    "needs_info": "требуется уточнение",
    "rejected": "отклонено",
    "replaced": "заменено",
    "withdrawn": "отозвано",
    "replayed": "повтор",
    "postponed": "отложено",
    "reopened": "открыто снова",
    "confirmed": "номер подтверждён",
    "original.dropped": "исходное целое удалено",
    "item.open": "открыто дело",
}
"""What happened to a submission, in Russian; in English the names say it themselves."""

DELIVERIES = {
    "waiting": "ждёт",
    "sending": "передаётся",
    "delivered": "доставлено",
    "registered": "зарегистрировано",
    "refused": "отказано получателем",
    "dead": "не доставлено, решает человек",
    "held": "приостановлено",
    "released": "снова разрешено",
    "cancelled": "отменено",
}

DETAILS = {
    "attempt": "попытка",
    "code": "код",
    "codes": "коды",
    "cause": "причина",
    "delivery": "доставка",
    "destination": "получатель",
    "basis": "основание",
    "by": "чем",
    "actor": "кто",
    "next_try": "следующая попытка",
}

RUNS = {"running": "идёт", "stopped": "остановлен", "done": "закончен"}
"""States of a run of replays."""

CHANGES = {"added": "добавлено", "removed": "убрано", "changed": "изменено"}
"""What a replay does to a resource."""

COLORS = {"accepted": "green", "needs_info": "yellow", "rejected": "red"}


def status(value: str, language: str) -> str:
    """Return a status in the user's language, coloured."""
    return click.style(STATUS[language].get(value, value), fg=COLORS.get(value))


def event(name: str, language: str) -> str:
    """Return the name of an event as people read it.

    >>> event("delivery.held", "ru"), event("settled", "en")
    ('доставка: приостановлено', 'settled')
    """
    if language == "en":
        return name
    kind, dot, state = name.partition(".")
    if kind == "delivery" and dot:
        return f"доставка: {DELIVERIES.get(state, state)}"
    return EVENTS.get(name, name)


def delivery(state: str, language: str) -> str:
    """Return the state of a delivery in the user's language."""
    return state if language == "en" else DELIVERIES.get(state, state)


def detail(key: str, language: str) -> str:
    """Return the name of a detail of an event in the user's language."""
    return key if language == "en" else DETAILS.get(key, key)


def run(state: str, language: str) -> str:
    """Return the state of a run of replays in the user's language."""
    return state if language == "en" else RUNS.get(state, state)


def change(done: str, language: str) -> str:
    """Return what became of a resource in the user's language."""
    return done if language == "en" else CHANGES.get(done, done)


def count(number: int, one: str, few: str, many: str) -> str:
    """Return a number with its Russian noun.

    >>> [count(n, "запись", "записи", "записей") for n in (1, 3, 5, 11, 21)]
    ['1 запись', '3 записи', '5 записей', '11 записей', '21 запись']
    """
    last, tens = number % 10, number % 100
    if last == 1 and tens != 11:
        noun = one
    elif last in (2, 3, 4) and tens not in (12, 13, 14):
        noun = few
    else:
        noun = many
    return f"{number} {noun}"


def all_facts(found: Sequence[Facts], language: str) -> str:
    """Return what came of a story, a line for each time it was looked at."""
    return "\n".join(facts(one, language) for one in found)


def facts(found: Facts, language: str) -> str:
    """Return what was found at one look in one line; what was not asked is left out."""
    english = language == "en"
    parts = [
        f"{STATUS[language].get(found.status or '', found.status or '')}"
        f" {' '.join(found.codes or ())} {' '.join(f'({one})' for one in found.warnings or ())}"
    ]
    if found.documents is not None:
        named = [f"{n} × {STATUS[language].get(s, s)}" for s, n in sorted(found.documents.items())]
        parts.append(", ".join(named))
    if found.duplicate_of is not None:
        parts.append(("repeats " if english else "повторяет ") + (found.duplicate_of or "—"))
    for number, say in (
        (found.cards, _CARDS),
        (found.records, _RECORDS),
        (found.deliveries, _DELIVERIES),
        (found.results, _RESULTS),
        (found.held, _HELD),
    ):
        if number is not None:
            parts.append(say[english](number))
    if found.taken is not None:
        order = " → ".join(found.taken) or "—"
        parts.append(("the clinic took: " if english else "клиника получила: ") + order)
    if found.receipts is not None:
        kinds = found.receipts if english else [_receipt(kind) for kind in found.receipts]
        parts.append(("receipts: " if english else "квитанции: ") + ", ".join(kinds))
    if found.submissions is not None and found.submissions > 1:
        parts.append(_SUBMISSIONS[english](found.submissions))
    if found.values:
        parts.append(" ".join(found.values))
    if found.absent:
        parts.append(("gone: " if english else "нет: ") + " ".join(found.absent))
    return " · ".join(clean for part in parts if (clean := " ".join(part.split())))


_RECORDS = (
    lambda n: "в карте " + count(n, "отчёт", "отчёта", "отчётов"),
    lambda n: f"{n} in the card",
)
_CARDS = (lambda n: count(n, "карта", "карты", "карт"), lambda n: f"cards: {n}")
_DELIVERIES = (
    lambda n: count(n, "доставка", "доставки", "доставок"),
    lambda n: f"{n} delivered",
)
_RESULTS = (
    lambda n: "в ней " + count(n, "результат", "результата", "результатов"),
    lambda n: f"{n} results in it",
)
_HELD = (lambda n: f"приостановлено: {n}", lambda n: f"{n} held")
_SUBMISSIONS = (
    lambda n: count(n, "отправка", "отправки", "отправок"),
    lambda n: f"{n} submissions",
)
"""Each in Russian and in English."""

RECEIPTS = {
    "accepted": "принято",
    "registered": "в карте",
    "refused": "отказ",
    "delivered": "доставлено",
}


def _receipt(kind: str) -> str:
    return RECEIPTS.get(kind, kind)
