"""`gateway items`: what only a person can bring to an end."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli import local, remote
from gateway.cli.output import Exit, Output, leave, options_before, options_to, translated

Object = dict[str, Any]

KINDS = {
    "ru": {
        "withdrawal-unsupported": "не принимает отзывы",
        "withdrawal-refused": "отказался от отзыва",
        "withdrawal-undelivered": "отзыв не доставлен",
        "decision-undone": "решение отменено, документ ушёл",
    },
    "en": {
        "withdrawal-unsupported": "takes no withdrawals",
        "withdrawal-refused": "refused the withdrawal",
        "withdrawal-undelivered": "withdrawal not delivered",
        "decision-undone": "decision undone, document sent",
    },
}


@click.group(
    "items",
    help=translated(
        "Открытые дела: отзывы, которые получатель не принял, и отменённые решения, по которым"
        " документ уже ушёл.",
        "Open items: withdrawals that a destination did not take, and undone decisions whose"
        " document had left already.",
    ),
)
@options_before
def command(**before: object) -> None:
    pass


@command.command("list", help=translated("Показать открытые дела.", "List open items."))
@click.option("--closed", is_flag=True, help=translated("И закрытые.", "Closed ones as well."))
@options_to
def list_items(out: Output, closed: bool) -> None:
    found = _found(out, closed)
    for one in found:
        out.data(one)
    columns = (
        out.say("Дело", "Item"),
        out.say("Получатель", "Destination"),
        out.say("Что", "What"),
        out.say("Документ", "Document"),
        out.say("Закрыто", "Closed"),
    )
    out.table(columns, [_row(out, one) for one in found])
    out.note(out.say(f"Дел: {len(found)}", f"Items: {len(found)}"))


@command.command(
    "close", help=translated("Закрыть дело: что сделано.", "Close an item: what was done.")
)
@click.argument("item")
@click.option(
    "--note", required=True, help=translated("Что сделано.", "What was done, in your words.")
)
@options_to
def close(out: Output, item: str, note: str) -> None:
    closed = _closed(out, item, note)
    if closed is None:
        out.complain(out.say(f"дела {item} нет", f"there is no item {item}"))
        leave(Exit.REFUSED)
    out.data(closed)
    out.text(f"{closed['id']}  {closed['closed_at']}")


def _found(out: Output, closed: bool) -> list[Object]:
    if out.to is not None:
        query = {"closed": "true"} if closed else {}
        return list(remote.expected(remote.connect(out).get("/v1/items", **query), 200)["items"])
    from gateway.api import present

    with local.opened(out) as gateway:
        items = gateway.store.open_items(None, closed)
        return [present.item(one, out.language) for one in items]


def _closed(out: Output, item: str, note: str) -> Object | None:
    if out.to is not None:
        answered = remote.connect(out).post(f"/v1/items/{item}/close", json={"note": note})
        return None if answered.status == 404 else remote.expected(answered, 200)
    from gateway.api import present

    with local.opened(out) as gateway:
        try:
            closed = gateway.store.close_item(item, local.ACTOR, note)
        except KeyError:
            return None
        return present.item(closed, out.language)


def _row(out: Output, one: Object) -> tuple[str, ...]:
    kind = KINDS[out.language][one["kind"]]
    return one["id"], one["destination"], kind, one["document"], one["closed_at"] or ""
