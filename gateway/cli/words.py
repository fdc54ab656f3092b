"""Words of the states and outcomes, as people read them in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gateway.sandbox.walk import Facts

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

COLORS = {"accepted": "green", "needs_info": "yellow", "rejected": "red"}


def status(value: str, language: str) -> str:
    """Return a status in the user's language, coloured."""
    return click.style(STATUS[language].get(value, value), fg=COLORS.get(value))


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


def facts(found: Facts, language: str) -> str:
    """Return what came of a story in one line."""
    codes = " ".join(found.codes)
    parts = [f"{STATUS[language].get(found.status, found.status)} {codes}".rstrip()]
    if language == "en":
        parts.append(f"{found.records} in the card")
        parts.append(f"{found.deliveries} delivered")
        parts.append(f"receipts: {', '.join(found.receipts)}")
    else:
        parts.append("в карте " + count(found.records, "отчёт", "отчёта", "отчётов"))
        parts.append(count(found.deliveries, "доставка", "доставки", "доставок"))
        parts.append(f"квитанции: {', '.join(_receipt(kind) for kind in found.receipts)}")
    if found.submissions > 1:
        parts.append(
            f"{found.submissions} submissions"
            if language == "en"
            else count(found.submissions, "отправка", "отправки", "отправок")
        )
    if found.values:
        parts.append(" ".join(found.values))
    return " · ".join(parts)


RECEIPTS = {
    "accepted": "принято",
    "registered": "в карте",
    "refused": "отказ",
    "delivered": "доставлено",
}


def _receipt(kind: str) -> str:
    return RECEIPTS.get(kind, kind)
