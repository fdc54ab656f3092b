"""`gateway cert list import|show|diff`: the trusted lists of this home.

A list says who was accredited when; bringing one in is a decision about trust, so its signer
is pinned by a person once and every import is an entry of the audit log.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from gateway.cli import local
from gateway.cli.dates import DAY
from gateway.cli.output import (
    Failed,
    Output,
    Wrong,
    options,
    options_before,
    translated,
)
from gateway.errors import Rejected
from gateway.model import Problem
from gateway.trust.lists import TrustedList, keep_list, snapshot_name, snapshots
from gateway.trust.lists.changes import Change, changes
from gateway.trust.lists.signers import Signers, read_certificate
from gateway.xml.parser import OCTETS_MAX

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.verification.lists import Admitted

SECONDS_MAX = timedelta(minutes=5)
"""For fetching a list of some 20 MB from a slow portal."""

SHOWN_MAX = 50
"""Changes shown to people; `--json` has them all."""

FOLDER = "lists"
"""Below the first trust folder, where snapshots are written."""


@click.group(
    "cert",
    help=translated("Сертификаты и списки доверия.", "Certificates and trusted lists."),
)
@options_before
def command(**before: object) -> None:
    pass


@command.group(
    "list",
    help=translated(
        "Списки доверия: аккредитованные УЦ России, доверенные списки ЕС (ETSI TS 119 612).",
        "Trusted lists: Russia's accredited CAs, the EU's trusted lists (ETSI TS 119 612).",
    ),
)
@options_before
def lists(**before: object) -> None:
    pass


@lists.command(
    "import",
    help=translated(
        "Ввезти список из файла или по адресу: проверить его собственную подпись, сохранить"
        " снимок, показать, что изменилось. Код 1: отказано, 3: подписавший не закреплён.",
        "Bring a list in from a file or an address: verify its own signature, keep a snapshot,"
        " show what changed. Exit code 1: refused, 3: its signer is not pinned.",
    ),
)
@click.argument("source", metavar="FILE|URL")
@click.option(
    "--signer",
    "certificates",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=translated(
        "Закрепить сертификат подписи списка (PEM, DER), сверив отпечаток; можно повторять.",
        "Pin the certificate that signs the list (PEM, DER), its fingerprint compared; repeatable.",
    ),
)
@options
def bring(out: Output, source: str, certificates: tuple[Path, ...]) -> None:
    from gateway.verification.lists import admit

    given = _given(certificates)
    with local.opened(out) as gateway:
        octets = _octets(out, gateway, source)
        with out.progress(3, out.say("список", "list")) as step:
            known = snapshots(gateway.settings.trust_folders)
            step(out.say(f"снимков здесь: {len(known)}", f"snapshots here: {len(known)}"))
            signers = Signers(gateway.settings.list_signers, known)
            admitted = admit(
                octets,
                lists=known,
                signers=signers,
                given=given,
                algorithms=gateway.algorithms,
                now=gateway.clock(),
            )
            step(out.say("подпись верна", "the signature holds"))
            folder = gateway.settings.trust_folders[0] / FOLDER
            if not admitted.known:
                keep_list(folder, octets)
            for certificate in given:
                signers.pin(admitted.found.source, certificate)
            _traced(gateway, admitted, given)
            step(snapshot_name(admitted.found))
        age_max = gateway.settings.path_policy.list_age_max
        _told(out, admitted, given, admitted.ended(gateway.clock(), age_max), folder)


@lists.command(
    "show",
    help=translated(
        "Какие снимки списков здесь есть, свежи ли они и чьи подписи на них закреплены.",
        "Which snapshots of lists are here, whether they are current, whose signature is pinned.",
    ),
)
@options
def show(out: Output) -> None:
    from gateway.verification.lists import sha256_of

    settings, now = local.settings(out), datetime.now(UTC)
    found = snapshots(settings.trust_folders)
    signers = Signers(settings.list_signers, found)
    rows = []
    for one in found:
        stale = one.speaks_until(settings.path_policy.list_age_max) < now
        states = Counter(service.state_at(one.issued_at) for service in one.services)
        pinned = [sha256_of(der) for der in signers.of(one.source)]
        out.data(
            {
                **_named(one),
                "services": len(one.services),
                "accredited": states["accredited"],
                "pointers": len(one.pointers),
                "next_update": one.next_update,
                "stale": stale,
                "signers": pinned,
            }
        )
        number = "—" if one.sequence is None else str(one.sequence)
        day = one.issued_at.date().isoformat()
        count = f"{states['accredited']}/{len(one.services)}"
        rows.append((out.mark(None if stale else True), one.source, day, number, count))
    if not rows:
        out.note(out.say("списков нет: gateway cert list import", "none: gateway cert list import"))
        return
    titles = out.say("список дата номер аккредитовано", "list date number accredited").split()
    out.table(["", *titles], rows)


@lists.command(
    "diff",
    help=translated(
        "Что изменилось в списке: между двумя последними снимками или от даты до даты.",
        "What changed on a list: between its two latest snapshots, or from one day to another.",
    ),
)
@click.argument("source", default="ru")
@click.option(
    "--from",
    "since",
    type=DAY,
    help=translated("Снимок на этот день.", "The snapshot as of this day."),
)
@click.option(
    "--until",
    type=DAY,
    help=translated("Снимок на этот день (иначе последний).", "As of this day (else the latest)."),
)
@options
def diff(out: Output, source: str, since: datetime | None, until: datetime | None) -> None:
    settings = local.settings(out)
    found = [one for one in snapshots(settings.trust_folders) if one.source == source]
    after = _as_of(found, until)
    older = [one for one in found if after is not None and one is not after]
    older = [one for one in older if after is not None and one.issued_at <= after.issued_at]
    before = _as_of(older, since)
    if after is None or before is None:
        count = len(found)
        raise Wrong(
            out.say(
                f"{source}: снимков {count}, сравнить нечего (gateway cert list show)",
                f"{source}: {count} snapshots, nothing to compare (gateway cert list show)",
            )
        )
    told = changes(before, after)
    out.data({"before": _named(before), "after": _named(after), "changes": _rows(told)})
    days = f"{before.issued_at:%Y-%m-%d} → {after.issued_at:%Y-%m-%d}"
    out.text(f"{source}  {days}")
    _show_changes(out, told)


def _as_of(found: list[TrustedList], day: datetime | None) -> TrustedList | None:
    """Return the newest of the lists, or the newest of a day and before."""
    end = None if day is None else day.replace(tzinfo=UTC) + timedelta(days=1)
    return next((one for one in found if end is None or one.issued_at < end), None)


def _given(certificates: tuple[Path, ...]) -> list[bytes]:
    try:
        return [read_certificate(path) for path in certificates]
    except ValueError as error:
        raise Wrong(f"--signer {error}") from error


def _octets(out: Output, gateway: Gateway, source: str) -> bytes:
    """Return the list's octets.  Raises Rejected (FMT-108) when there are none."""
    octets = _fetched(out, gateway, source)
    if not octets:
        raise Rejected(Problem(code="FMT-108", place=source))
    return octets


def _fetched(out: Output, gateway: Gateway, source: str) -> bytes:
    """Return what is in a file or at an address, asked only where a home may ask."""
    from gateway.trust.fetching import NotFetched, Web, WebRules

    place = urlsplit(source)
    if place.scheme not in ("http", "https"):
        if source != "-" and not Path(source).is_file():
            raise Wrong(out.say(f"нет файла {source}", f"there is no file {source}"))
        # One octet more than may be read is enough to be refused.
        with click.open_file(source, "rb") as file:
            return bytes(file.read(OCTETS_MAX + 1))
    network = gateway.settings.network
    rules = WebRules(
        time_max=SECONDS_MAX,
        private_hosts=network.private_hosts if network is not None else frozenset(),
    )
    try:
        return Web(rules, gateway.clock).fetch(source, OCTETS_MAX)
    except NotFetched as error:
        raise Failed(out.say(f"не получен: {error}", f"not fetched: {error}")) from error


def _traced(gateway: Gateway, admitted: Admitted, given: list[bytes]) -> None:
    """Write who was believed and what came in into the audit log."""
    from gateway.store import audit_entry
    from gateway.verification.lists import sha256_of

    found = admitted.found
    detail = {
        "sha256": found.sha256,
        "issued_at": found.issued_at.isoformat(),
        "sequence": str(found.sequence or ""),
        "signer": sha256_of(admitted.signer),
        "pinned": " ".join(map(sha256_of, given)),
    }
    now = gateway.clock()
    gateway.store.audit_append(audit_entry(local.ACTOR, "list.import", found.source, detail, now))


def _told(out: Output, admitted: Admitted, given: list[bytes], stale: bool, folder: Path) -> None:
    from gateway.verification.lists import sha256_of

    found = admitted.found
    told = () if admitted.known else changes(admitted.before, found)
    signer = sha256_of(admitted.signer)
    out.data(
        {
            **_named(found),
            "snapshot": folder / snapshot_name(found),
            "known": admitted.known,
            "signer_sha256": signer,
            "pinned": [sha256_of(one) for one in given],
            "next_update": found.next_update,
            "stale": stale,
            "unread": found.unread,
            "changes": _rows(told),
        }
    )
    state = out.say("уже есть", "already here") if admitted.known else out.say("принят", "taken")
    number = "—" if found.sequence is None else str(found.sequence)
    out.text(f"{out.mark(True)} {found.source} {found.issued_at:%Y-%m-%d} № {number}: {state}")
    out.text(f"  {out.say('подписал', 'signed by')} SHA-256 {signer}")
    for one in given:
        out.note(f"{out.say('закреплён', 'pinned')}: SHA-256 {sha256_of(one)}")
    if stale:
        out.note(
            out.say(
                "внимание: срок этого списка прошёл, о новых сертификатах он ничего не говорит",
                "warning: this list has ended and says nothing of certificates issued now",
            )
        )
    if found.unread:
        line = out.say("сертификатов не прочитано", "certificates that could not be read")
        out.note(f"{line}: {found.unread}")
    _show_changes(out, told)


def _show_changes(out: Output, told: tuple[Change, ...]) -> None:
    words = {
        "added": out.say("добавлен", "added"),
        "removed": out.say("исчез из списка", "gone from the list"),
        "status": out.say("статус", "status"),
        "keys": out.say("ключи", "keys"),
    }
    for one in told[:SHOWN_MAX]:
        detail = {
            "added": one.now,
            "removed": "",
            "status": f"{one.was or '—'} → {one.now or '—'}",
            "keys": f"+{len(one.keys_added)} −{len(one.keys_removed)}",
        }[one.kind]
        since = f" ({one.since:%Y-%m-%d})" if one.since else ""
        out.text(f"  {words[one.kind]}: {one.provider}  {detail}{since}".rstrip())
    if len(told) > SHOWN_MAX:
        rest = len(told) - SHOWN_MAX
        out.text(out.say(f"  и ещё {rest} (--json)", f"  and {rest} more (--json)"))
    counts = Counter(one.kind for one in told)
    line = ", ".join(f"{words[kind]} {number}" for kind, number in sorted(counts.items()))
    out.text(f"  {line or out.say('ничего не изменилось', 'nothing changed')}")


def _named(one: TrustedList) -> dict[str, Any]:
    return {
        "source": one.source,
        "issued_at": one.issued_at,
        "sequence": one.sequence,
        "sha256": one.sha256,
    }


def _rows(told: tuple[Change, ...]) -> list[dict[str, Any]]:
    return [asdict(one) for one in told]
