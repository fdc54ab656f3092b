"""The key store and the schema: opened fast, opened twice, and only with the right key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from gateway.store import (
    Database,
    KeyDestroyed,
    KeyStore,
    LinkedElsewhere,
    WrongMasterKey,
    migrations,
    tables,
)
from gateway.store import keys as key_tables
from tests.unit.store.house import MASTER_KEY

BRANCHES = {"data": tables.metadata, "keys": key_tables.metadata}


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(f"sqlite:///{tmp_path}/keys.db", MASTER_KEY)


def test_keys_and_tokens_survive_a_restart(store: KeyStore, tmp_path: Path) -> None:
    before = (store.owner_key("p"), store.signing_key("receipts"), store.token("number", "77"))
    store.close()
    again = KeyStore(f"sqlite:///{tmp_path}/keys.db", MASTER_KEY)
    assert (again.owner_key("p"), again.signing_key("receipts"), again.token("number", "77")) == (
        before
    )


def test_another_master_key_opens_nothing(store: KeyStore, tmp_path: Path) -> None:
    store.close()
    with pytest.raises(WrongMasterKey):
        KeyStore(f"sqlite:///{tmp_path}/keys.db", MASTER_KEY[::-1])


def test_a_race_for_a_key_makes_one(tmp_path: Path) -> None:
    """Two processes open one home at once: whoever writes the key first has made it."""

    def open_one(_: int) -> bytes:
        opened = KeyStore(f"sqlite:///{tmp_path}/keys.db", MASTER_KEY)
        key = opened.owner_key("p")[1]
        opened.close()
        return key

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(open_one, range(6)))) == 1


def test_links_are_made_together_or_not_at_all(store: KeyStore) -> None:
    store.bind(["a", "b"], "p-1")
    store.bind(["b", "c"], "p-1")
    with pytest.raises(LinkedElsewhere):
        store.bind(["d", "c"], "p-2")
    assert store.linked(["a", "b", "c", "d"]) == {"a": "p-1", "b": "p-1", "c": "p-1"}


def test_a_link_by_a_decision_ends_with_it_unless_a_document_confirmed_it(
    store: KeyStore,
) -> None:
    store.bind(["own"], "p-1")
    store.bind(["own", "guessed", "seen"], "p-1", "d-1")
    assert store.bound_by(["own", "guessed", "seen"]) == {
        "own": None,
        "guessed": "d-1",
        "seen": "d-1",
    }
    store.bind(["own", "seen"], "p-1")
    store.unbind("d-1")
    assert store.linked(["own", "guessed", "seen"]) == {"own": "p-1", "seen": "p-1"}


def test_a_destroyed_key_is_gone_and_its_successor_is_another(store: KeyStore) -> None:
    generation, key = store.owner_key("p")
    store.bind(["a"], "p")
    store.destroy("p")
    with pytest.raises(KeyDestroyed):
        store.key("p", generation)
    assert store.linked(["a"]) == {}
    later, other = store.owner_key("p")
    assert later != generation
    assert other != key


def test_tokens_fold_how_people_write_and_keep_purposes_apart(store: KeyStore) -> None:
    assert store.token("name", "Ёлкина ") == store.token("name", "ёлкина")
    assert store.token("name", "Елкина") != store.token("name", "Ёлкина")
    assert store.token("number", "77") != store.token("order", "77")
    assert store.token("x", "ab", "c") != store.token("x", "a", "bc")


@pytest.mark.parametrize("branch", BRANCHES)
def test_the_migrations_make_the_tables_the_code_speaks_of(branch: str, tmp_path: Path) -> None:
    """The head is written down so that opening need not load Alembic; both must agree."""
    folder = Path(migrations.__file__).parent / branch
    scripts = ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])
    assert scripts.get_current_head() == migrations.HEADS[branch]
    database = Database(f"sqlite:///{tmp_path}/x.db", branch)
    database.migrate()
    database.migrate()
    database.close()
    with create_engine(f"sqlite:///{tmp_path}/x.db").connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": migrations.version_table(branch)}
        )
        assert compare_metadata(context, BRANCHES[branch]) == []
