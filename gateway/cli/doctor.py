"""`gateway doctor`: is everything the gateway needs in order; each finding with its fix."""

from __future__ import annotations

import shutil
import socket
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from gateway.cli import local, remote
from gateway.cli.output import Exit, Output, leave, options_to, translated

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.model import Destination
    from gateway.trust.finding import Snapshot

DISK_FREE_MIN = 1024**3
CLOCK_OFF_MAX = timedelta(seconds=30)
LIST_ENDS_SOON = timedelta(days=1)
TRUSTED_LIST_ENDS_SOON = timedelta(days=3)
"""Enough to fetch the next one by hand over a weekend."""

CONNECT_SECONDS = 3.0
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check; `good` is None for a warning."""

    name: str
    good: bool | None
    detail: str
    fix: str = ""


@click.command(
    "doctor",
    help=translated(
        "Проверить часы, ключи, свежесть доверия, ГОСТ, базу, диск и назначения; у каждой"
        " находки совет. С --to: связь с шлюзом, доступ и часы.",
        "Check clock, keys, trust material, GOST, database, disk and destinations; every finding"
        " with its fix. With --to: the connection, the access and the clock.",
    ),
)
@options_to
def command(out: Output) -> None:
    from datetime import UTC

    now = datetime.now(UTC)
    if out.to is not None:
        findings = list(_remote(out, now))
    else:
        with local.opened(out) as gateway:
            findings = list(_local(out, gateway, now))
    out.data(
        {
            "checks": [
                {
                    "name": one.name,
                    "status": {True: "ok", False: "failed", None: "warning"}[one.good],
                    "detail": one.detail,
                    "fix": one.fix,
                }
                for one in findings
            ]
        }
    )
    width = max(len(one.name) for one in findings)
    for one in findings:
        out.text(f"  {out.mark(one.good)} {one.name.ljust(width)}  {out.dim(one.detail)}")
        if one.fix:
            out.text(f"      {out.say('Что делать', 'What to do')}: {one.fix}")
    leave(Exit.REFUSED if any(one.good is False for one in findings) else Exit.GOOD)


def _local(out: Output, gateway: Gateway, now: datetime) -> Iterator[Finding]:
    yield _clock(out, gateway, now)
    yield _keys(out, gateway)
    yield from _trust(out, gateway, now)
    yield _gost(out, gateway)
    yield _database(out, gateway)
    yield _disk(out)
    yield from _evidence(out, gateway, now)
    yield from _verification(out, gateway)
    for destination in gateway.store.destinations():
        yield _destination(out, destination)


def _clock(out: Output, gateway: Gateway, now: datetime) -> Finding:
    name = out.say("Часы", "Clock")
    last = max((head.at for head in gateway.store.audit_heads()), default=now)
    if last > now + CLOCK_OFF_MAX:
        return Finding(
            name=name,
            good=False,
            detail=out.say(
                f"журнал новее часов: {last.isoformat(timespec='seconds')}",
                f"the log is ahead of the clock: {last.isoformat(timespec='seconds')}",
            ),
            fix=out.say("включите синхронизацию времени (NTP)", "turn on time synchronisation"),
        )
    return Finding(name=name, good=True, detail=now.isoformat(timespec="seconds"))


def _keys(out: Output, gateway: Gateway) -> Finding:
    name, file = out.say("Ключи", "Keys"), gateway.settings.master_key_file
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding(
            name=name,
            good=False,
            detail=out.say(f"{file} читают другие", f"others can read {file}"),
            fix=f"chmod 600 {file}",
        )
    return Finding(name=name, good=True, detail=str(file))


def _trust(out: Output, gateway: Gateway, now: datetime) -> Iterator[Finding]:
    name = out.say("Доверие", "Trust")
    fresh = gateway.trust.freshness(now)
    folders = ", ".join(str(folder) for folder in gateway.settings.trust_folders)
    if not fresh.anchors:
        fix = out.say("положите корневые сертификаты и CRL в", "put anchors and CRLs into")
        detail = out.say("нет ни одного корня", "there is no anchor")
        yield Finding(name=name, good=False, detail=detail, fix=f"{fix} {folders}")
        return
    counted = out.say(
        f"корней {fresh.anchors}, CRL {len(fresh.lists)}",
        f"{fresh.anchors} anchors, {len(fresh.lists)} CRLs",
    )
    yield Finding(name=name, good=True, detail=counted)
    for authority in fresh.uncovered:
        yield Finding(
            name="CRL",
            good=False,
            detail=out.say(f"нет свежего: {authority}", f"none current: {authority}"),
            fix=out.say(f"обновите CRL этого УЦ в {folders}", f"renew this CA's CRL in {folders}"),
        )
    for one in fresh.lists:
        if not one.stale and one.next_update and one.next_update - now < LIST_ENDS_SOON:
            until = one.next_update.isoformat(timespec="minutes")
            detail = out.say(f"{one.issuer}: до {until}", f"{one.issuer}: until {until}")
            yield Finding(
                name="CRL",
                good=None,
                detail=detail,
                fix=out.say("обновите до этого срока", "renew before then"),
            )
    yield from _trusted_lists(out, fresh.snapshots, now)


def _trusted_lists(out: Output, found: Sequence[Snapshot], now: datetime) -> Iterator[Finding]:
    name, fix = out.say("Список УЦ", "Trusted list"), "gateway cert list import FILE|URL"
    for one in found:
        day, until = one.issued_on.isoformat(), one.speaks_until.date().isoformat()
        soon = one.speaks_until - now < TRUSTED_LIST_ENDS_SOON
        yield Finding(
            name=name,
            good=None if one.stale or soon else True,
            detail=out.say(
                f"{one.source}: от {day}, до {until}", f"{one.source}: of {day}, until {until}"
            ),
            fix=fix if one.stale or soon else "",
        )
    if not found:
        yield Finding(
            name=name,
            good=None,
            detail=out.say(
                "нет ни одного: квалификация подписей останется неизвестной",
                "there is none: the qualification of signatures stays unknown",
            ),
            fix=fix,
        )


def _gost(out: Output, gateway: Gateway) -> Finding:
    provider = gateway.algorithms.provider("gost256").NAME
    if provider == "gost-engine":
        return Finding(name=out.say("ГОСТ", "GOST"), good=True, detail=provider)
    return Finding(
        name=out.say("ГОСТ", "GOST"),
        good=None,
        detail=out.say(
            f"{provider}: чистый Python, 0,15 с на подпись под 20 КБ",
            f"{provider}: pure Python, 0.15 s a signature on 20 KB",
        ),
        fix="apt install libengine-gost-openssl",
    )


def _database(out: Output, gateway: Gateway) -> Finding:
    counts = gateway.store.counts()
    kind = urlsplit(gateway.settings.database_url).scheme
    detail = " ".join(f"{key}={value}" for key, value in sorted(counts.items()) if value)
    return Finding(name=out.say("База данных", "Database"), good=True, detail=f"{kind} {detail}")


def _disk(out: Output) -> Finding:
    free = shutil.disk_usage(out.home).free
    gigabytes = out.say(f"свободно {free / 1024**3:.1f} ГБ", f"{free / 1024**3:.1f} GB free")
    if free < DISK_FREE_MIN:
        fix = out.say("освободите место", "make room")
        return Finding(name=out.say("Диск", "Disk"), good=False, detail=gigabytes, fix=fix)
    return Finding(name=out.say("Диск", "Disk"), good=True, detail=gigabytes)


def _evidence(out: Output, gateway: Gateway, now: datetime) -> Iterator[Finding]:
    """See whether what proves the kept signatures is renewed in time."""
    name, rules = out.say("Доказательства", "Evidence"), gateway.settings.evidence
    if rules is None:
        yield Finding(
            name=name,
            good=None,
            detail=out.say("не обновляются штампами времени", "not renewed by time stamps"),
            fix=out.say(
                "назовите службу штампов времени: [evidence] tsa в gateway.toml",
                "name a time-stamping authority: [evidence] tsa in gateway.toml",
            ),
        )
        return
    counts = gateway.store.evidence.counts(now + rules.before)
    first = counts.first_end.isoformat(timespec="minutes") if counts.first_end else "—"
    overdue = counts.first_end is not None and counts.first_end < now + rules.before / 2
    yield Finding(
        name=name,
        good=False if overdue else True if not counts.due else None,
        detail=out.say(
            f"скоро кончается: {counts.due}, первое {first}",
            f"ends soon: {counts.due}, the first {first}",
        )
        if counts.due
        else out.say(
            f"не кончается {rules.before.days} дн.", f"none ends for {rules.before.days} d"
        ),
        fix="gateway evidence renew" if counts.due else "",
    )
    if late := counts.states.get("late", 0):
        yield Finding(
            name=name,
            good=None,
            detail=out.say(
                f"кончилось раньше штампа: {late}", f"ended before a time stamp: {late}"
            ),
            fix=out.say(
                "вердикт держится только на журнале шлюза; впредь обновляйте раньше:"
                " [evidence] before_days",
                "the verdict rests on the gateway's log alone; renew sooner from now on:"
                " [evidence] before_days",
            ),
        )


def _destination(out: Output, destination: Destination) -> Finding:
    fix = out.say(
        "проверьте адрес и сеть; отправки подождут и уйдут сами",
        "check address and network; deliveries wait and go by themselves",
    )
    return _listens(f"→ {destination.name}", destination.options.get("url", ""), fix)


def _verification(out: Output, gateway: Gateway) -> Iterator[Finding]:
    """See whether the verification tool outside is there: without it every document waits."""
    service = gateway.settings.verification
    if service is not None:
        fix = out.say(
            "проверьте [verification] url и саму службу: пока её нет, документы ждут",
            "check [verification] url and the service itself: until it is there documents wait",
        )
        yield _listens(out.say("Проверка извне", "Verifier"), service.url, fix)


def _listens(name: str, url: str, fix: str) -> Finding:
    """See whether somebody listens there; nothing is sent."""
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    try:
        socket.create_connection((parts.hostname or "", port), CONNECT_SECONDS).close()
    except OSError as error:
        detail = f"{parts.netloc}: {type(error).__name__}"
        return Finding(name=name, good=None, detail=detail, fix=fix)
    return Finding(name=name, good=True, detail=parts.netloc)


def _remote(out: Output, now: datetime) -> Iterator[Finding]:
    assert out.to is not None
    name = out.say("Связь с шлюзом", "Connection")
    health = remote.Remote(out.to, None, out.language).get("/readyz")
    yield Finding(
        name=name,
        good=health.status == 200,
        detail=f"{out.to}, HTTP {health.status}",
        fix="" if health.status == 200 else out.say("сообщите оператору", "tell the operator"),
    )
    theirs = health.headers.get("Date")
    if theirs:
        off = abs(parsedate_to_datetime(theirs) - now)
        yield Finding(
            name=out.say("Часы", "Clock"),
            good=off <= CLOCK_OFF_MAX,
            detail=out.say(f"расхождение {off.total_seconds():.0f} с", f"{off} off"),
            fix="" if off <= CLOCK_OFF_MAX else out.say("синхронизируйте часы", "set the clock"),
        )
    access = remote.connect(out).get("/v1/submissions", limit="1")
    yield Finding(
        name=out.say("Доступ", "Access"),
        good=access.status == 200,
        detail=f"HTTP {access.status}",
        fix=str(access.body.get("fix", "")),
    )
