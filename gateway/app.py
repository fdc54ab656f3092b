"""Composition root: the parts are chosen and joined here, nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway import logs
from gateway.access import Access
from gateway.algorithms import standard
from gateway.algorithms.interface import Algorithms
from gateway.delivery import Deliverer
from gateway.homelock import HomeLock
from gateway.mapping.catalogue import Catalogue
from gateway.patients import identifiers
from gateway.pipeline import Line
from gateway.receipts.issue import Receipts
from gateway.settings import Settings
from gateway.store import Database, KeyStore, Store
from gateway.trust import Trust
from gateway.verification import Verifier
from gateway.worker import Workers

MASTER_KEY_BYTES = 32


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
    deliverer: Deliverer
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
    trust = Trust.load(settings.trust_folders, algorithms)
    verifier = Verifier(trust, algorithms)
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
    )
    deliverer = Deliverer(
        store=store,
        receipts=receipts,
        clock=clock,
        retry_first=work.retry_first,
        retry_longest=work.retry_longest,
        attempts_max=work.attempts_max,
    )
    workers = Workers(store, clock, work.lease)
    workers.add("submission", work.line_workers, line.work)
    workers.add("delivery", work.delivery_workers, deliverer.work)
    workers.every("seal", work.seal_every, store.seal)
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
        deliverer=deliverer,
        workers=workers,
        lock=HomeLock(settings.home),
    )


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
