"""`gateway receipt ID` fetches a receipt; `gateway receipt verify FILE` checks one offline."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from gateway.cli import files, local
from gateway.cli.desk import Desk, at_desk
from gateway.cli.output import Exit, Output, Wrong, leave, options_to, translated
from gateway.cli.status import require

Object = dict[str, Any]

VERIFY = "verify"
FILE_BYTES_MAX = 1024 * 1024
"""More of a file is not read: a receipt in an answer of /v1 is some kilobytes."""

NUMBER = re.compile(r"R-[0-9]{8}-[0-9A-Z]{10}")
UNDECIDED = frozenset({"received", "processing", "needs_info"})
UNDELIVERED = frozenset({"waiting", "sending", "held", "dead"})
"""States of a delivery after which it may yet arrive, by itself or by a person's decision."""


@click.command(
    "receipt",
    help=translated(
        "Квитанция по номеру отправки или своему номеру R-… (JWS на stdout); receipt verify FILE"
        " проверяет квитанцию без связи со шлюзом: ключи берутся из --home или --jwks.",
        "The receipt of a submission, or by its own number R-… (JWS on stdout); receipt verify"
        " FILE checks one offline: keys come from --home or --jwks.",
    ),
)
@click.argument("what", metavar="ID|R-…|verify")
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--kind",
    type=click.Choice(["accepted", "registered", "refused", "delivered"]),
    help=translated("Вид; иначе последняя.", "Kind; else the newest."),
)
@click.option(
    "--jwks",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=translated("Файл с открытыми ключами шлюза.", "File with the gateway's public keys."),
)
@options_to
def command(out: Output, what: str, file: str | None, kind: str | None, jwks: Path | None) -> None:
    if what == VERIFY:
        if file is None:
            raise Wrong(out.say("назовите файл с квитанцией", "name the file with the receipt"))
        _verify(out, _octets(file), jwks)
    elif file is not None:
        raise Wrong(out.say("лишний аргумент", "one argument too many"))
    else:
        _fetch(out, what, kind)


def _octets(file: str) -> bytes:
    if file == files.STDIN:
        return sys.stdin.buffer.read(FILE_BYTES_MAX)
    with Path(file).open("rb") as stream:
        return stream.read(FILE_BYTES_MAX)


def _fetch(out: Output, what: str, kind: str | None) -> None:
    from gateway.receipts.verify import verify

    with at_desk(out) as desk:
        if NUMBER.fullmatch(what.upper()):
            submission, receipt = _by_number(out, desk, what.upper(), kind)
        else:
            submission, receipt = what, _newest(out, desk, what, kind)
        proof = desk.proof(submission, receipt["kind"], receipt["number"])
        found = verify(receipt["jws"], desk.jwks(), proof)
    out.data({"valid": found.valid, "included": found.included, "receipt": receipt})
    out.text(receipt["jws"])
    out.note(f"{receipt['number']}  {receipt['kind']}  {receipt['issued_at']}")
    leave(Exit.GOOD if found.valid else Exit.REFUSED)


def _by_number(out: Output, desk: Desk, number: str, kind: str | None) -> tuple[str, Object]:
    """Return a receipt by its number, with its submission; ends the verb with 1 for none."""
    if kind is not None:
        raise Wrong(
            out.say(
                "--kind: с номером отправки; у квитанции вид один",
                "--kind goes with a submission; a receipt is of one kind",
            )
        )
    found = desk.receipt(number)
    if found is None:
        line = out.say(f"квитанции {number} нет", f"there is no receipt {number}")
        _none(out, line, Exit.REFUSED)
    return found.pop("submission"), found


def _newest(out: Output, desk: Desk, submission: str, kind: str | None) -> Object:
    """Return the newest receipt of a submission, or of a kind; ends the verb without one."""
    view = require(out, desk, submission)
    rows = desk.receipts(submission)
    found = [row for row in rows if kind in (None, row["kind"])]
    if not found:
        _none_of(out, view, rows, kind)
    return found[-1]


def _none_of(out: Output, view: Object, rows: list[Object], kind: str | None) -> NoReturn:
    if kind is None or _may_come(view, kind):
        line = out.say(f"квитанции {kind or ''} ещё нет", f"there is no {kind or ''} receipt yet")
        _none(out, " ".join(line.split()), Exit.UNDECIDED)
    kinds = ", ".join(dict.fromkeys(row["kind"] for row in rows))
    line = out.say(
        f"квитанции {kind} у этой отправки нет и не будет; есть: {kinds}",
        f"this submission has no {kind} receipt and will have none; it has: {kinds}",
    )
    _none(out, line, Exit.REFUSED)


def _none(out: Output, line: str, code: Exit) -> NoReturn:
    out.data({"valid": False, "receipt": None, "error": line})
    out.complain(line)
    leave(code)


def _may_come(view: Object, kind: str) -> bool:
    """Say whether a receipt of this kind may yet be issued, by what is still to be decided."""
    statuses = [view["status"], *(document["status"] for document in view["documents"])]
    if any(status in UNDECIDED for status in statuses):
        return True
    states = {d["state"] for document in view["documents"] for d in document["deliveries"]}
    return kind in ("delivered", "refused") and bool(states & UNDELIVERED)


def _verify(out: Output, octets: bytes, jwks: Path | None) -> None:
    from gateway.receipts.verify import verify

    found = verify(jws_in(octets), _keys(out, jwks))
    claims = dict(found.claims)
    reason = out.say(REASONS.get(found.reason, found.reason), found.reason)
    out.data(
        {
            "valid": found.valid,
            "included": found.included,
            "reason": reason,
            "receipt": claims or None,
        }
    )
    if found.valid:
        out.text(
            f"{out.mark(True)} "
            + out.say("Квитанция подлинная", "The receipt is genuine")
            + f": {claims.get('number')}  {claims.get('kind')}"
        )
        leave(Exit.GOOD)
    out.text(f"{out.mark(False)} {out.say('Квитанция не принята', 'Not valid')}: {reason}")
    leave(Exit.REFUSED)


REASONS = {
    "The receipt is too long to be one of ours.": "слишком длинная для нашей квитанции.",
    "The receipt is not a JWS in compact form.": "это не JWS в компактной записи.",
    "The receipt names a key that is not among the gateway's keys.": (
        "подписана ключом, которого нет среди ключей шлюза."
    ),
    "The signature does not hold: the receipt was changed or is not ours.": (
        "подпись не сходится: квитанция изменена или не наша."
    ),
}
"""What `gateway.receipts.verify` says without a proof, in Russian."""


def jws_in(octets: bytes) -> str:
    """Return the JWS in a file: the file itself, or the one in an answer of /v1 or of a verb.

    What is neither comes back as it is, and will not verify.
    """
    text = octets.decode("utf-8", "replace")
    if not text.lstrip().startswith("{"):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        return text
    while isinstance(found, dict):
        found = found.get("jws", found.get("receipt"))
    return found if isinstance(found, str) else text


def _keys(out: Output, jwks: Path | None) -> dict[str, Any]:
    if jwks is None:
        if out.to is not None:
            with at_desk(out) as desk:
                return desk.jwks()
        with local.opened(out) as gateway:
            return dict(gateway.receipts.jwks())
    try:
        keys = json.loads(jwks.read_text("utf-8"))
    except ValueError as error:
        raise Wrong(out.say(f"{jwks}: это не JSON", f"{jwks}: not JSON")) from error
    if not isinstance(keys, dict):
        raise Wrong(out.say(f"{jwks}: это не набор ключей", f"{jwks}: not a key set"))
    return keys
