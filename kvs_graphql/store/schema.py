"""The SQL tables, their version, and the migration of older files."""

import sqlite3

from kvs_graphql.errors import DatabaseError
from kvs_graphql.records import Record

COLUMNS = ", ".join(Record._fields)
"""The columns that `entry`, `change` and `conflict` share, in the order of a record's fields."""

_TABLES = """
-- The record of each key that readers see: the last one or, if several partitions hold the key, the one with the
-- greatest (timestamp, partition). A NULL value is a remembered delete.
CREATE TABLE entry (
    key BLOB PRIMARY KEY,
    value BLOB,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    timestamp INTEGER,
    headers BLOB
) WITHOUT ROWID;

-- The last record of a key in every other partition that holds it. Empty if each key lives in one partition.
CREATE TABLE conflict (
    key BLOB NOT NULL,
    value BLOB,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    timestamp INTEGER,
    headers BLOB,
    PRIMARY KEY (key, partition)
) WITHOUT ROWID;

-- The change window: every recent change, in the order of application.
CREATE TABLE change (
    sequence INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    value BLOB,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    timestamp INTEGER,
    headers BLOB
);

-- One row per partition: the next offset to read, and the offsets from which on every change is held and every delete
-- is remembered.
CREATE TABLE position (
    partition INTEGER PRIMARY KEY,
    next_offset INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    deletes_known_from INTEGER NOT NULL
);

-- One row: the topic that the table is built from. next_sequence is the number of the next change, window_bytes the
-- total size of the changes held, caught_up_at the last time at the end of the topic, in milliseconds since 1970.
CREATE TABLE source (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    topic TEXT NOT NULL,
    topic_id BLOB NOT NULL,
    next_sequence INTEGER NOT NULL DEFAULT 1,
    window_bytes INTEGER NOT NULL DEFAULT 0,
    caught_up_at INTEGER NOT NULL
);
"""

# The leader epoch of the last record below next_offset; -1 where it is unknown.
_LEADER_EPOCHS = "ALTER TABLE position ADD COLUMN leader_epoch INTEGER NOT NULL DEFAULT -1"

# Schemas of keys and values by their ids in the registry, without a document where that is still to be found; and which
# of them is served.
_SCHEMAS = """
CREATE TABLE schema (id INTEGER PRIMARY KEY, document TEXT);
CREATE TABLE served_schema (part TEXT PRIMARY KEY, id INTEGER NOT NULL, version INTEGER NOT NULL);
"""

MIGRATIONS = (_TABLES, _LEADER_EPOCHS, _SCHEMAS)
"""Item N turns a file of version N into one of version N + 1; an empty file has version 0."""

# Built at the end of the first read of a topic: one sort is cheaper than two random writes per record.
INDEXES = """
CREATE INDEX IF NOT EXISTS entry_in_log_order ON entry (partition, offset);
CREATE INDEX IF NOT EXISTS entry_deleted ON entry (partition, offset) WHERE value IS NULL;
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Migrate the file to the newest version, in the caller's transaction.

    Raises:
        DatabaseError: A newer version of this service wrote the file.
    """
    version = _version_of(connection)
    for migration in MIGRATIONS[version:]:
        for statement in _statements(migration):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")


def topic_of(connection: sqlite3.Connection) -> str | None:
    """Return the topic of the table in a file, which may be of an older version; None before it is begun.

    Raises:
        DatabaseError: A newer version of this service wrote the file.
    """
    found = connection.execute("SELECT topic FROM source").fetchone() if _version_of(connection) else None
    return None if found is None else str(found[0])


def is_indexed(connection: sqlite3.Connection) -> bool:
    """Return whether the table can be read in log order, which is so once the first read of the topic is over."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'entry_in_log_order'").fetchone()
    return found is not None


def window_changes(connection: sqlite3.Connection) -> int:
    """Return how many changes the window holds. Their numbers are consecutive, so its two ends are enough."""
    # SQLite scans the whole table for a min and a max in one SELECT.
    found = connection.execute(
        "SELECT next_sequence - (SELECT min(sequence) FROM change) FROM source WHERE EXISTS (SELECT 1 FROM change)"
    ).fetchone()
    return 0 if found is None else int(found[0])


def build_indexes(connection: sqlite3.Connection) -> None:
    """Build the indexes, at the end of the first read of the topic."""
    for statement in _statements(INDEXES):
        connection.execute(statement)


def _version_of(connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise DatabaseError(
            f"The database has schema version {version}, but this program knows only {len(MIGRATIONS)}: "
            "run the newer kvs-graphql, or move the file away to rebuild the table from Kafka."
        )
    return version


def _statements(script: str) -> list[str]:
    # executescript would commit the caller's transaction.
    return [statement for statement in script.split(";\n") if statement.strip()]
