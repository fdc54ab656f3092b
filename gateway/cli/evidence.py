"""`gateway evidence`: how long what was kept goes on proving, and the renewal of it."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli import local, verdicts
from gateway.cli.output import (
    Exit,
    Failed,
    Output,
    Wrong,
    leave,
    options,
    options_before,
    translated,
)
from gateway.cli.stamps import not_stamped
from gateway.evidence.ends import CERTIFICATE_ENDS
from gateway.model import Indication, Submission

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.evidence.renewal import Renewal
    from gateway.store.values import ProofRow

SHOWN_MAX = 1000
"""Lines of a dry run."""

STATES = {
    "ru": {
        "waiting": "ждёт первого штампа",
        "stamped": "под штампом",
        "late": "кончилось раньше штампа",
        "closed": "доказывать нечего",
    },
    "en": {
        "waiting": "waits for its first stamp",
        "stamped": "stamped",
        "late": "ended before a stamp",
        "closed": "nothing to prove",
    },
}


@click.group(
    "evidence",
    help=translated(
        "Доказательства принятых подписей: до когда действуют, обновление штампом времени"
        " (RFC 4998), выгрузка.",
        "The evidence of kept signatures: how long it lasts, its renewal by time stamps"
        " (RFC 4998), its export.",
    ),
)
@options_before
def command(**before: object) -> None:
    pass


@command.command(
    "status",
    help=translated("Сколько доказательств и до когда.", "How many proofs, and until when."),
)
@options
def status(out: Output) -> None:
    with local.opened(out) as gateway:
        rules, now = gateway.settings.evidence, gateway.clock()
        window = rules.before if rules else timedelta()
        counts = gateway.store.evidence.counts(now + window)
    out.data(
        {
            "tsa": rules.tsa if rules else None,
            "before_days": window.days if rules else None,
            "states": counts.states,
            "due": counts.due,
            "first_end": counts.first_end,
        }
    )
    if rules is None:
        out.text(f"{out.mark(None)} {_no_rules(out)}")
    for state, count in sorted(counts.states.items()):
        out.text(f"  {STATES[out.language][state]}: {count}")
    first = counts.first_end.isoformat() if counts.first_end else "—"
    if not counts.states:
        look = "gateway evidence renew"
        out.text(out.say(f"  ещё не смотрели: {look}", f"  nobody has looked yet: {look}"))
    out.text(out.say(f"  пора обновить: {counts.due}", f"  due: {counts.due}"))
    out.text(out.say(f"  первое кончается: {first}", f"  the first ends: {first}"))


@command.command(
    "show",
    help=translated(
        "Что доказывает запись отправки и до когда.", "What a submission's record proves."
    ),
)
@click.argument("id")
@options
def show(out: Output, id: str) -> None:
    from gateway.signature_report.as_json import record_json

    with local.opened(out) as gateway:
        kept = _kept(out, gateway, id)
        row, now = gateway.store.evidence.row(id), gateway.clock()
        proof = local.proof(out, gateway, kept, now)
    finding = proof.finding if proof else None
    out.data(
        {
            "submission": id,
            **_row_json(row),
            "evidence_record": record_json(finding) if finding else None,
        }
    )
    if row is None:
        look = "gateway evidence renew"
        out.text(out.say(f"ещё не смотрели: {look}", f"nobody has looked yet: {look}"))
    else:
        out.text(STATES[out.language][row.end.state])
        if row.end.ends_at is not None:
            until, why = row.end.ends_at.isoformat(), _ends_by(out, row.end.ends_by)
            out.text(out.say(f"  доказывает до {until}: {why}", f"  proves until {until}: {why}"))
    if finding is None:
        leave(Exit.UNDECIDED)
    for stamp, digest in zip(finding.stamps, finding.digests, strict=True):
        good = stamp.indication is Indication.TOTAL_PASSED
        who = stamp.authority.subject if stamp.authority else "—"
        out.text(f"{out.mark(good)} {stamp.at.isoformat()}  {digest}  {who}")
    verdicts.show_checks(out, finding.checks)
    leave(
        {
            Indication.TOTAL_PASSED: Exit.GOOD,
            Indication.TOTAL_FAILED: Exit.REFUSED,
            Indication.INDETERMINATE: Exit.UNDECIDED,
        }[finding.indication]
    )


@command.command(
    "renew",
    help=translated(
        "Обновить то, чему осталось недолго: одним штампом на много документов. Код 3: часть"
        " ждёт списков отзыва, 4: служба штампов не ответила. Прерванное можно повторить.",
        "Renew what ages out soon: one time stamp for many documents. Exit code 3: some wait for"
        " revocation lists, 4: the authority gave no stamp. It may be stopped and repeated.",
    ),
)
@click.option(
    "--all",
    "unstamped",
    is_flag=True,
    help=translated(
        "И всё, на чём ещё нет штампа, не дожидаясь срока.",
        "Also all that has no stamp yet, long before it is due.",
    ),
)
@click.option(
    "--dry-run",
    is_flag=True,
    help=translated("Показать, что пора, и ничего не штамповать.", "Say what is due, stamp none."),
)
@options
def renew(out: Output, unstamped: bool, dry_run: bool) -> None:
    from gateway.signatures.stamping import NotStamped

    with local.opened(out) as gateway:
        renewal = gateway.renewal
        if renewal is None:
            raise Wrong(_no_rules(out))
        surveyed = _survey(out, renewal)
        if dry_run:
            _due(out, gateway, renewal, surveyed, unstamped)
            return
        stamped = awaiting = ended = batches = 0
        error = why = ""
        with out.progress(
            _total(gateway, renewal, unstamped), out.say("документ", "document")
        ) as step:
            try:
                while (done := renewal.renew(unstamped=unstamped, progress=step)).did:
                    stamped, awaiting = stamped + len(done.stamped), awaiting + len(done.awaiting)
                    ended, batches = ended + len(done.ended), batches + bool(done.stamped)
            except NotStamped as failure:
                error, why = str(failure), not_stamped(out, renewal.rules.tsa, failure)
    told = {"surveyed": surveyed, "stamped": stamped, "batches": batches, "awaiting": awaiting}
    out.data({**told, "ended": ended, "error": error or None})
    out.text(
        out.say(
            f"под штампом: {stamped}, ждут списков: {awaiting}, обновлять нечего: {ended}",
            f"stamped: {stamped}, waiting for lists: {awaiting}, nothing to renew: {ended}",
        )
    )
    if error:
        out.complain(why)
        leave(Exit.FAILED)
    leave(Exit.UNDECIDED if awaiting else Exit.GOOD)


@command.command(
    "export",
    help=translated(
        "Выгрузить запись (evidence-record.er) и всё, что она покрывает, в ZIP для проверки"
        " чужими средствами. Внутри сам документ.",
        "Export the record (evidence-record.er) and all it covers as a ZIP, to be checked with"
        " other tools. The document itself is inside.",
    ),
)
@click.argument("id")
@click.option(
    "--out",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=translated("Куда; иначе ID.evidence.zip.", "Where to; else ID.evidence.zip."),
)
@options
def export(out: Output, id: str, file: Path | None) -> None:
    from gateway.evidence.exporting import exported
    from gateway.signatures.evidence_records import NotARecord
    from gateway.signatures.findings import Flaw
    from gateway.store import audit_entry

    file = file or Path(f"{id}.evidence.zip")
    with local.opened(out) as gateway:
        kept, now = _kept(out, gateway, id), gateway.clock()
        proof = local.proof(out, gateway, kept, now)
        if proof is None:
            make = "gateway evidence renew --all"
            line = out.say(
                f"{id}: записи ещё нет; сделать её: {make}",
                f"{id}: there is no record yet; to make it: {make}",
            )
            out.data({"submission": id, "error": line})
            out.complain(line)
            leave(Exit.UNDECIDED)
        try:
            octets = exported(kept, proof.kept, gateway.algorithms)
        except (NotARecord, Flaw) as error:
            raise Failed(f"{id}: {error}") from error
        # Whoever exports has the document: that is a read, and written down before it leaves.
        gateway.store.record_read(audit_entry(local.ACTOR, "evidence.export", id, {}, now))
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(octets)
    out.data({"submission": id, "out": str(file), "size": len(octets)})
    out.text(str(file))


def _survey(out: Output, renewal: Renewal) -> int:
    """Ask of everything new how long its proof lasts; return how many."""
    surveyed = 0
    while found := renewal.survey():
        surveyed += found
        out.note(out.say(f"просмотрено: {surveyed}", f"looked at: {surveyed}"))
    return surveyed


def _total(gateway: Gateway, renewal: Renewal, unstamped: bool) -> int:
    now = gateway.clock()
    counts = gateway.store.evidence.counts(now + renewal.rules.before)
    return max(counts.due, counts.states.get("waiting", 0) if unstamped else 0)


def _due(out: Output, gateway: Gateway, renewal: Renewal, surveyed: int, unstamped: bool) -> None:
    now = gateway.clock()
    rows = gateway.store.evidence.due(
        now, now + renewal.rules.before, SHOWN_MAX, unstamped=unstamped
    )
    out.data(
        {
            "surveyed": surveyed,
            "due": [{"submission": row.submission, **_row_json(row)} for row in rows],
        }
    )
    columns = (out.say("Отправка", "Submission"), out.say("До", "Until"), out.say("Что", "What"))
    out.table(
        columns,
        [(row.submission, _until(row.end.ends_at), _ends_by(out, row.end.ends_by)) for row in rows],
    )
    out.note(out.say(f"Пора обновить: {len(rows)}", f"Due: {len(rows)}"))


def _row_json(row: ProofRow | None) -> dict[str, object]:
    if row is None:
        return {"state": None, "ends_at": None, "ends_by": None, "stamped_at": None}
    return {
        "state": row.end.state,
        "ends_at": row.end.ends_at,
        "ends_by": row.end.ends_by,
        "stamped_at": row.stamped_at,
    }


def _until(moment: datetime | None) -> str:
    return moment.isoformat() if moment else "—"


def _ends_by(out: Output, what: str) -> str:
    """Return what ends a proof: a certificate of its path, or an algorithm by its name."""
    if what == CERTIFICATE_ENDS:
        return out.say("кончится сертификат", "a certificate ends")
    return out.say(f"устареет {what}", f"{what} ages out")


def _kept(out: Output, gateway: Gateway, id: str) -> Submission:
    """Return a kept submission.  Raises Wrong and Failed."""
    with local.reading(out, id):
        return gateway.store.submission(id)


def _no_rules(out: Output) -> str:
    return out.say(
        "служба штампов времени не названа: [evidence] tsa в gateway.toml; для пробы"
        " gateway mock tsa",
        "no time-stamping authority is named: [evidence] tsa in gateway.toml; to try it"
        " gateway mock tsa",
    )
