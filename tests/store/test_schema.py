"""Files of other versions: an older one is brought forward whole, or not at all."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kvs_graphql.errors import DatabaseError
from kvs_graphql.store import WindowLimits, open_store, schema

LIMITS = WindowLimits(10, 1000, 10)


async def test_an_older_file_is_migrated_and_keeps_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kvs.db"
    async with open_store(path, LIMITS, readers=1) as store:
        await store.begin("topic", bytes(16), (7,))
    newer = (*schema.MIGRATIONS, "ALTER TABLE source ADD COLUMN note TEXT NOT NULL DEFAULT 'migrated'")
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    async with open_store(path, LIMITS, readers=1) as store:
        assert store.source is not None
        assert store.source.topic == "topic"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT topic, note FROM source").fetchall() == [("topic", "migrated")]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)


async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kvs.db"
    async with open_store(path, LIMITS, readers=1) as store:
        await store.begin("topic", bytes(16), (7,))
    before = schema.MIGRATIONS
    broken = "ALTER TABLE source ADD COLUMN note TEXT;\nALTER TABLE nowhere ADD COLUMN note TEXT"
    monkeypatch.setattr(schema, "MIGRATIONS", (*before, broken))
    with pytest.raises(DatabaseError, match="nowhere"):
        async with open_store(path, LIMITS, readers=1):
            pass
    monkeypatch.setattr(schema, "MIGRATIONS", before)
    async with open_store(path, LIMITS, readers=1) as store:
        assert store.source is not None
