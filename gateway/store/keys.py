"""The key store: a database apart from the data, its backups and its write-ahead log.

Holds the keys, each wrapped under the master key, and the links from identifier tokens to
patient numbers.  Destroying a patient's key makes everything sealed under it unreadable, in
every copy of the data; a restore is a data backup with today's key store.

Writes here come before the data transaction that needs them and may be repeated: a key or a
link that exists stays as it is.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import (
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    insert,
    select,
    update,
)

from gateway.store import vault
from gateway.store.database import Database
from gateway.store.statement import Statement, insert_new

metadata = MetaData()

key = Table(
    "key",
    metadata,
    # `root`, `intake`, `sign:NAME`, or the patient number (of a patient without a card: the
    # submission id).
    Column("owner", Text, nullable=False),
    Column("generation", Text, nullable=False),
    # Null once destroyed: the generation is remembered, the key is not.
    Column("wrapped", LargeBinary),
    PrimaryKeyConstraint("owner", "generation", name="pk_key"),
)

link = Table(
    "link",
    metadata,
    Column("token", Text, primary_key=True),
    Column("patient", Text, nullable=False),
    # Id of the decision of a person that alone leads there; null: a document said so itself.
    Column("decision", Text),
    Index("ix_link_patient", "patient"),
    Index("ix_link_decision", "decision"),
)

fact = Table(
    "fact",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

INTAKE = "intake"
WHOLE = "whole:"
"""Begins the owner of a key that an original of several documents lies under."""
CACHED_KEYS_MAX = 20_000


class WrongMasterKey(Exception):
    """The master key does not open this key store."""


class KeyDestroyed(Exception):
    """What is asked for was sealed under a key that was destroyed on purpose."""


class LinkedElsewhere(Exception):
    """An identifier belongs to another patient number already."""


class KeyStore:
    """Keys and identifier links.  Safe to use from several threads and processes."""

    def __init__(self, url: str, master_key: bytes) -> None:
        """Open the key store at `url`, creating it when missing.  Raises WrongMasterKey."""
        assert len(master_key) == vault.KEY_BYTES
        self._database = Database(url, "keys")
        self._database.migrate()
        self._master = vault.derive(master_key, "wrap")
        self._cache: dict[tuple[str, str], bytes] = {}
        self._current: dict[str, str] = {}
        self._lock = threading.Lock()
        try:
            root = self._obtain("root", "1")
        except vault.Unreadable as error:
            self._database.close()
            raise WrongMasterKey from error
        self._token_key = vault.derive(root, "token")
        self._system_key = vault.derive(root, "system")

    def close(self) -> None:
        self._database.close()

    # --- keys --------------------------------------------------------------------------

    def intake_key(self, at: datetime) -> tuple[str, bytes]:
        """Return the generation and key for submissions of the day of `at`."""
        generation = at.date().isoformat()
        return generation, self._obtain(INTAKE, generation)

    def owner_key(self, owner: str) -> tuple[str, bytes]:
        """Return the generation and key of a patient, made when there is none yet."""
        generation = self._current.get(owner)
        if generation is None:
            generation = self._newest(owner)
            self._current[owner] = generation
        return generation, self._obtain(owner, generation)

    def key(self, owner: str, generation: str) -> bytes:
        """Return a key by name.  Raises KeyDestroyed."""
        cached = self._cache.get((owner, generation))
        if cached is not None:
            return cached
        with self._database.read() as connection:
            wrapped = _wrapped(connection, owner, generation)
        if wrapped is None:
            raise KeyDestroyed(owner)
        return self._remember(owner, generation, wrapped)

    def destroy(self, owner: str, generation: str | None = None) -> None:
        """Destroy an owner's keys (all generations by default) and their links, for good."""

        def work(connection: Connection) -> None:
            mine = key.c.owner == owner
            if generation is not None:
                mine &= key.c.generation == generation
            connection.execute(update(key).where(mine).values(wrapped=None))
            if generation is None:
                connection.execute(link.delete().where(link.c.patient == owner))

        self._database.write(work)
        with self._lock:
            self._current.pop(owner, None)
            for name in [n for n in self._cache if n[0] == owner and generation in (None, n[1])]:
                del self._cache[name]

    def owners(self, prefix: str) -> tuple[str, ...]:
        """Return the owners of keys that were not destroyed, by how they begin."""
        mine = key.c.owner.startswith(prefix, autoescape=True) & key.c.wrapped.is_not(None)
        with self._database.read() as connection:
            return tuple(connection.execute(select(key.c.owner).where(mine).distinct()).scalars())

    def system_key(self, purpose: str) -> bytes:
        """Return the key for what belongs to no patient: evidence, destinations' secrets."""
        return vault.derive(self._system_key, purpose)

    def signing_key(self, name: str) -> bytes:
        """Return the Ed25519 private key (32 raw bytes) called `name`."""
        return self._obtain(f"sign:{name}", "1")

    def public_key(self, name: str) -> bytes:
        """Return the raw public half of `signing_key(name)`."""
        private = Ed25519PrivateKey.from_private_bytes(self.signing_key(name))
        return private.public_key().public_bytes_raw()

    # --- links -------------------------------------------------------------------------

    def token(self, purpose: str, *words: str) -> str:
        """Return the keyed token for `words`; equal words of two purposes differ."""
        return vault.token(self._token_key, purpose, *words)

    def exact_token(self, purpose: str, octets: bytes) -> str:
        """Return a keyed digest of bytes exactly as they are."""
        return hashlib.blake2b(
            octets, key=vault.derive(self._token_key, purpose), digest_size=32
        ).hexdigest()

    def linked(self, tokens: Iterable[str]) -> Mapping[str, str]:
        """Return the patient numbers that `tokens` are linked to."""
        with self._database.read() as connection:
            return {row.token: row.patient for row in _found(connection, list(tokens))}

    def bound_by(self, tokens: Iterable[str]) -> Mapping[str, str | None]:
        """Return the decision that alone links a token, for each of `tokens` that is linked."""
        with self._database.read() as connection:
            return {row.token: row.decision for row in _found(connection, list(tokens))}

    def bind(self, tokens: Iterable[str], patient: str, decision: str | None = None) -> None:
        """Link all of `tokens` to `patient`, or none.  Raises LinkedElsewhere.

        Of two patients racing for one identifier exactly one gets all of theirs.  A patient
        without a key gets one in the same commit.  Links by a `decision` end with it, unless
        they are bound without one afterwards.
        """
        # Sorted, so that two processes on PostgreSQL cannot wait for each other.
        wanted = sorted(set(tokens))
        with self._database.read() as connection:
            found = _found(connection, wanted)
        if any(row.patient != patient for row in found):
            raise LinkedElsewhere(patient)
        confirmed = decision is None and any(row.decision for row in found)
        if len(found) == len(wanted) and not confirmed:
            return

        generation = self._current.get(patient) or self._newest(patient)
        fresh = vault.wrap(self._master, vault.new_key(), f"key:{patient}:{generation}")

        def work(connection: Connection) -> bytes | None:
            for token in wanted:
                insert_new(connection, link, token=token, patient=patient, decision=decision)
            if any(row.patient != patient for row in _found(connection, wanted)):
                raise LinkedElsewhere(patient)
            if confirmed:
                mine = link.c.token.in_(wanted)
                connection.execute(update(link).where(mine).values(decision=None))
            insert_new(connection, key, owner=patient, generation=generation, wrapped=fresh)
            return _wrapped(connection, patient, generation)

        wrapped = self._database.write(work)
        # Null: destroyed meanwhile; whoever asks for the key looks for the next generation.
        if wrapped is not None:
            self._current[patient] = generation
            self._remember(patient, generation, wrapped)

    def unbind(self, decision: str) -> None:
        """Take back every link that rests on a decision alone."""
        self._database.write(
            lambda connection: connection.execute(link.delete().where(link.c.decision == decision))
        )

    # --- facts -------------------------------------------------------------------------

    def remember(self, name: str, value: str) -> None:
        """Keep a fact about the data apart from the data."""

        def work(connection: Connection) -> None:
            changed = connection.execute(
                update(fact).where(fact.c.name == name).values(value=value)
            )
            if not changed.rowcount:
                connection.execute(insert(fact).values(name=name, value=value))

        self._database.write(work)

    def remembered(self, name: str) -> str | None:
        """Return the fact called `name`."""
        with self._database.read() as connection:
            return connection.execute(select(fact.c.value).where(fact.c.name == name)).scalar()

    # --- inside ------------------------------------------------------------------------

    def _newest(self, owner: str) -> str:
        """The generation in use: the newest that was not destroyed, else a new one."""
        with self._database.read() as connection:
            rows = _GENERATIONS.all(connection, owner=owner)
        alive = [int(row.generation) for row in rows if row.wrapped is not None]
        if alive:
            return str(max(alive))
        return str(max((int(row.generation) for row in rows), default=0) + 1)

    def _obtain(self, owner: str, generation: str) -> bytes:
        """The key, made when there was never one.  Whoever writes it first has made it."""
        cached = self._cache.get((owner, generation))
        if cached is not None:
            return cached
        with self._database.read() as connection:
            wrapped = _wrapped(connection, owner, generation)
        if wrapped is None:
            fresh = vault.wrap(self._master, vault.new_key(), f"key:{owner}:{generation}")

            def work(connection: Connection) -> bytes | None:
                insert_new(connection, key, owner=owner, generation=generation, wrapped=fresh)
                return _wrapped(connection, owner, generation)

            wrapped = self._database.write(work)
        if wrapped is None:
            raise KeyDestroyed(owner)
        return self._remember(owner, generation, wrapped)

    def _remember(self, owner: str, generation: str, wrapped: bytes) -> bytes:
        opened = vault.unwrap(self._master, wrapped, f"key:{owner}:{generation}")
        with self._lock:
            if len(self._cache) >= CACHED_KEYS_MAX:
                self._cache.clear()
                self._current.clear()
            self._cache[owner, generation] = opened
        return opened


def _wrapped(connection: Connection, owner: str, generation: str) -> bytes | None:
    wrapped: bytes | None = _WRAPPED.scalar(connection, owner=owner, generation=generation)
    return wrapped


def _found(connection: Connection, tokens: list[str]) -> list[Any]:
    if not tokens:
        return []
    return _links(len(tokens)).all(connection, **{f"t{n}": one for n, one in enumerate(tokens)})


_WRAPPED = Statement(
    select(key.c.wrapped).where(
        key.c.owner == bindparam("owner"), key.c.generation == bindparam("generation")
    )
)
_GENERATIONS = Statement(
    select(key.c.generation, key.c.wrapped).where(key.c.owner == bindparam("owner"))
)


@lru_cache
def _links(count: int) -> Statement:
    wanted = [bindparam(f"t{n}", type_=Text) for n in range(count)]
    return Statement(select(link).where(link.c.token.in_(wanted)))
