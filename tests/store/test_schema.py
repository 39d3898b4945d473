"""Migrations: an older file is migrated completely or left unchanged."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kvs_graphql.errors import DatabaseError
from kvs_graphql.store import open_store, schema
from tests.store.conftest import ROOMY


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
