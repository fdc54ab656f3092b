"""`gateway receipt ID` fetches a receipt; `gateway receipt verify FILE` checks one offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gateway.cli import local
from gateway.cli.desk import at_desk
from gateway.cli.output import Exit, Output, Wrong, leave, options_to, translated
from gateway.cli.status import require

VERIFY = "verify"


@click.command(
    "receipt",
    help=translated(
        "Квитанция отправки ID (JWS на stdout); receipt verify FILE проверяет квитанцию без связи"
        " со шлюзом: ключи берутся из --home или --jwks.",
        "The receipt of submission ID (JWS on stdout); receipt verify FILE checks one offline:"
        " keys come from --home or --jwks.",
    ),
)
@click.argument("what", metavar="ID|verify")
@click.argument("file", required=False, type=click.File("rb"))
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
def command(out: Output, what: str, file: Any, kind: str | None, jwks: Path | None) -> None:
    if what == VERIFY:
        if file is None:
            raise Wrong(out.say("назовите файл с квитанцией", "name the file with the receipt"))
        _verify(out, file.read(), jwks)
    elif file is not None:
        raise Wrong(out.say("лишний аргумент", "one argument too many"))
    else:
        _fetch(out, what, kind)


def _fetch(out: Output, submission: str, kind: str | None) -> None:
    from gateway.receipts.verify import verify

    with at_desk(out) as desk:
        require(out, desk, submission)
        rows = [r for r in desk.receipts(submission) if kind in (None, r["kind"])]
        if not rows:
            line = out.say(f"квитанции {kind} ещё нет", f"there is no {kind} receipt yet")
            out.data({"valid": False, "receipt": None, "error": line})
            out.complain(line)
            leave(Exit.UNDECIDED)
        receipt = rows[-1]
        proof = desk.proof(submission, receipt["kind"], receipt["number"])
        found = verify(receipt["jws"], desk.jwks(), proof)
    out.data({"valid": found.valid, "included": found.included, "receipt": receipt})
    out.text(receipt["jws"])
    out.note(f"{receipt['number']}  {receipt['kind']}  {receipt['issued_at']}")
    leave(Exit.GOOD if found.valid else Exit.REFUSED)


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
