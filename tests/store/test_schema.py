"""Migrations: an older file is migrated completely or left unchanged."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kvs_graphql.errors import DatabaseError
from kvs_graphql.records import Batch
from kvs_graphql.store import open_store, schema
from tests.store.batches import ROOMY


@pytest.fixture
async def older(path: Path) -> Path:
    """A file of the current version, with a topic in it."""
    async with open_store(path, ROOMY, readers=1) as store:
        await store.begin("topic", bytes(16), (7,))
    return path


async def test_older_file_is_migrated_and_keeps_its_contents(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = (*schema.MIGRATIONS, "ALTER TABLE source ADD COLUMN note TEXT NOT NULL DEFAULT 'migrated'")
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    async with open_store(older, ROOMY, readers=1) as store:
        assert store.source is not None
        assert store.source.topic == "topic"
    with closing(sqlite3.connect(older)) as connection:
        assert connection.execute("SELECT topic, note FROM source").fetchall() == [("topic", "migrated")]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)


async def test_file_without_leader_epochs_is_read_and_goes_on_without_them(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        with closing(sqlite3.connect(path)) as connection:
            schema.prepare(connection)
            connection.execute("INSERT INTO source (id, topic, topic_id, caught_up_at) VALUES (1, 't', x'00', 1)")
            connection.execute("INSERT INTO position VALUES (0, 7, 0, 0)")
            connection.commit()
    async with open_store(path, ROOMY, readers=1) as store:
        assert (store.positions, store.epochs) == ((7,), ())
        await store.apply(Batch((), (8,), 0, 0, (3,)))
    async with open_store(path, ROOMY, readers=1) as store:
        assert (store.positions, store.epochs) == ((8,), (3,))


async def test_failed_migration_leaves_the_file_unchanged(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def contents() -> list[str]:
        with closing(sqlite3.connect(older)) as connection:
            return [*connection.iterdump(), str(connection.execute("PRAGMA user_version").fetchone())]

    before = contents()
    broken = "ALTER TABLE source ADD COLUMN note TEXT;\nALTER TABLE nowhere ADD COLUMN note TEXT"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(DatabaseError, match="nowhere"):
        async with open_store(older, ROOMY, readers=1):
            pass
    assert contents() == before


def test_tables_hold_the_fields_of_a_record_in_order() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        schema.prepare(connection)
        for table in ("entry", "conflict", "change"):
            columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            assert ", ".join(column for column in columns if column != "sequence") == schema.COLUMNS
