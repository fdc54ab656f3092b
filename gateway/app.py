"""Composition root: the parts are chosen and joined here, nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway import logs
from gateway.access import Access
from gateway.algorithms import standard
from gateway.algorithms.interface import Algorithms
from gateway.clerk import tell_outages
from gateway.delivery import Deliverer
from gateway.evidence.authority import Authority
from gateway.evidence.renewal import Renewal
from gateway.external_tool.http_service import HttpService
from gateway.homelock import HomeLock
from gateway.mapping import suggest
from gateway.mapping.catalogue import Catalogue
from gateway.mapping.codes import FSLI, LOINC
from gateway.patients import asking, identifiers, matching
from gateway.pipeline import Line
from gateway.receipts.issue import Receipts
from gateway.repair.answers import Tables
from gateway.repair.desk import Desk, Suggester
from gateway.repair.replays import Replays
from gateway.settings import Settings
from gateway.store import Database, KeyStore, Store
from gateway.trust import Trust
from gateway.trust.fetching import Web
from gateway.trust.seeking import Seeker
from gateway.verification import ExternalVerifier, Verifier
from gateway.worker import Workers

MASTER_KEY_BYTES = 32
REPLAY_EVERY = timedelta(seconds=0.25)
"""How often runs of replays are moved on; also the finest pace of one."""

OUTAGES_EVERY = timedelta(seconds=15)
"""How soon an operator hears of an authority without a current list."""

WHOLES_EVERY = timedelta(hours=1)
"""How often originals of several patients are looked at; they are kept for days."""

EVIDENCE_EVERY = timedelta(seconds=5)
"""How often the renewal of evidence may go on; when it is due its own rules say."""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """One gateway home with everything joined; close it when done."""

    settings: Settings
    clock: Callable[[], datetime]
    store: Store
    algorithms: Algorithms
    trust: Trust
    verifier: Verifier
    receipts: Receipts
    access: Access
    catalogue: Catalogue
    line: Line
    repairs: Desk
    replays: Replays
    deliverer: Deliverer
    renewal: Renewal | None
    """Renews evidence; None where no time-stamping authority is named."""

    workers: Workers
    lock: HomeLock

    def start(self) -> None:
        """Start the threads that work the line, the deliveries and the audit seal.

        Raises AlreadyWorked when another process works this home's embedded database.
        """
        if self.store.embedded:
            self.lock.take()
            self.store.release_all()
        self.workers.start()

    def close(self) -> None:
        """Stop the threads, seal what is left and let go of the databases."""
        self.workers.stop()
        self.store.seal()
        self.store.close()
        self.lock.release()


def open_gateway(settings: Settings, clock: Callable[[], datetime] | None = None) -> Gateway:
    """Open the home that `settings` name, creating its databases and keys when missing."""
    logs.configure()
    clock = clock or (lambda: datetime.now(UTC))
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    algorithms = standard(settings.gost)
    keys = KeyStore(settings.keystore_url, master_key(settings.master_key_file))
    receipts = Receipts(keys.signing_key("receipts"), settings.url)
    store = Store(Database(settings.database_url), keys, clock, heads=receipts)
    seeker = None
    if settings.network is not None:
        web = Web(settings.network, clock)
        seeker = Seeker(settings.home / "sought", web, algorithms, clock)
    trust = Trust.load(settings.trust_folders, algorithms, settings.path_policy, seeker)
    verifier = _verifier(settings, trust, algorithms)
    catalogue = Catalogue.load(settings.mappings, identifiers)
    work = settings.work
    line = Line(
        store=store,
        verifier=verifier,
        catalogue=catalogue,
        receipts=receipts,
        routes=settings.routes,
        clock=clock,
        digest=_streebog(algorithms),
        revocation_patience=work.revocation_patience,
        retry_first=work.retry_first,
        policies=settings.signatures,
        apart=settings.transactions_apart,
    )
    deliverer = Deliverer(
        store=store,
        receipts=receipts,
        clock=clock,
        retry_first=work.retry_first,
        retry_longest=work.retry_longest,
        attempts_max=work.attempts_max,
        lease=work.lease,
    )
    workers = Workers(store, clock, work.lease)
    workers.add("submission", work.line_workers, line.work)
    workers.add("delivery", work.delivery_workers, deliverer.work)
    replays = Replays(store, line.rehearse)
    workers.every("replays", REPLAY_EVERY, replays.step)
    workers.every("outages", OUTAGES_EVERY, lambda: tell_outages(store))
    workers.every("seal", work.seal_every, store.seal)
    workers.every("wholes", WHOLES_EVERY, store.drop_wholes)
    renewal = _renewal(settings, store, trust, algorithms)
    if renewal is not None:
        workers.every("evidence", EVIDENCE_EVERY, renewal.step)
    workers.every("consents", work.consents_every, store.recheck_consents)
    return Gateway(
        settings=settings,
        clock=clock,
        store=store,
        algorithms=algorithms,
        trust=trust,
        verifier=verifier,
        receipts=receipts,
        access=Access(store, keys.signing_key("tokens"), settings.url, clock),
        catalogue=catalogue,
        line=line,
        repairs=repair_desk(store, catalogue, replays),
        replays=replays,
        deliverer=deliverer,
        renewal=renewal,
        workers=workers,
        lock=HomeLock(settings.home),
    )


def _renewal(
    settings: Settings, store: Store, trust: Trust, algorithms: Algorithms
) -> Renewal | None:
    rules = settings.evidence
    if rules is None:
        return None
    authority = Authority(
        url=rules.tsa,
        algorithms=algorithms,
        credentials_file=rules.credentials_file,
        ca_file=rules.ca_file,
    )
    return Renewal(store, trust, algorithms, authority.stamp_over, rules, store.clock)


def _verifier(settings: Settings, trust: Trust, algorithms: Algorithms) -> Verifier:
    """Return the built-in verifier, or the one an outside tool decides for."""
    built_in, tool = Verifier(trust, algorithms), settings.verification
    if tool is None:
        return built_in
    service = HttpService(
        name=tool.name,
        url=tool.url,
        certified=tool.certified,
        timeout=tool.timeout,
        token_file=tool.token_file,
        ca_file=tool.ca_file,
    )
    return ExternalVerifier(built_in, service)


def repair_desk(store: Store, catalogue: Catalogue, replays: Replays) -> Desk:
    """Return the repair desk with the tables of the other rooms behind it."""
    codes, units = catalogue.codes, catalogue.units

    def test(code: str) -> str | None:
        found = codes.find(FSLI, code) or codes.find(LOINC, code)
        return found.key if found else None

    def unit(written: str) -> str | None:
        found = units.find(written)
        return found.ucum if found else None

    def tests_like(name: str, unit: str) -> list[tuple[str, str]]:
        return [(one.key, one.name) for one in suggest.tests_like(codes.tests(), name, unit)]

    def units_like(written: str, system: str, code: str) -> tuple[str, ...]:
        known = codes.find(system, code)
        return suggest.units_like(units.all, written, known.units if known else ())

    tables = Tables(
        test=test,
        unit=unit,
        card=lambda number: store.card(number) is not None,
        new_patient=store.new_patient_number,
    )
    suggester = Suggester(
        tests=tests_like, units=units_like, claim=asking.claim_of, alike=matching.alike
    )
    return Desk(store, tables, suggester, replays)


def master_key(file: Path) -> bytes:
    """Return the master key in `file`, making it (mode 0600) when there is none yet."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = file.read_bytes()
        assert len(key) == MASTER_KEY_BYTES, file
        return key
    key = os.urandom(MASTER_KEY_BYTES)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key)
        stream.flush()
        os.fsync(stream.fileno())
    return key


def _streebog(algorithms: Algorithms) -> Callable[[bytes], str | None]:
    """Streebog-256 beside SHA-256 only where it is fast: pure Python takes 25 s a megabyte."""
    if algorithms.provider("gost256").NAME != "gost-engine":
        return lambda octets: None
    return lambda octets: algorithms.digest("streebog256", octets).hex()
