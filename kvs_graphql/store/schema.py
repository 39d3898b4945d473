"""The tables, their version, and how an older file becomes a newer one."""

import sqlite3

from kvs_graphql.errors import DatabaseError
from kvs_graphql.records import Record

COLUMNS = ", ".join(Record._fields)
"""The columns that `entry`, `change` and `conflict` share, in the order of a record's fields."""

_TABLES = """
-- For each key the record that is shown: the last one, or among several partitions the one with the greatest
-- (timestamp, partition). A NULL value is a remembered delete.
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

-- The recent changes in the order they were applied, every record of them.
CREATE TABLE change (
    sequence INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    value BLOB,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    timestamp INTEGER,
    headers BLOB
);

CREATE TABLE position (
    partition INTEGER PRIMARY KEY,
    next_offset INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    deletes_known_from INTEGER NOT NULL
);

-- One row: what the table is built from. next_sequence numbers the next change, window_bytes adds up the
-- change table, caught_up_at is in milliseconds since 1970.
CREATE TABLE source (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    topic TEXT NOT NULL,
    topic_id BLOB NOT NULL,
    next_sequence INTEGER NOT NULL DEFAULT 1,
    window_bytes INTEGER NOT NULL DEFAULT 0,
    caught_up_at INTEGER NOT NULL
);
"""

MIGRATIONS = (_TABLES,)
"""What makes a file of version N one of version N + 1; an empty file has version 0."""

# Left out while the first read of a topic fills an empty table: built at once at its end, they cost a sort
# instead of two random writes a record.
INDEXES = """
CREATE INDEX IF NOT EXISTS entry_in_log_order ON entry (partition, offset);
CREATE INDEX IF NOT EXISTS entry_deleted ON entry (partition, offset) WHERE value IS NULL;
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest version, in the caller's transaction.

    Raises:
        DatabaseError: The file was written by a newer version of this service.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise DatabaseError(
            f"The database has schema version {version}, this program knows {len(MIGRATIONS)}: "
            "run the newer kvs-graphql, or move the file away and let the table be built again from Kafka."
        )
    for migration in MIGRATIONS[version:]:
        for statement in _statements(migration):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")


def is_indexed(connection: sqlite3.Connection) -> bool:
    """Whether the table can be read in log order; not so during the first read of a topic."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'entry_in_log_order'").fetchone()
    return found is not None


def window_changes(connection: sqlite3.Connection) -> int:
    """How many changes the window holds: they have consecutive numbers, so only its ends are looked at."""
    # Asked for the least and the greatest in one SELECT, SQLite goes through the whole table.
    found = connection.execute(
        "SELECT next_sequence - (SELECT min(sequence) FROM change) FROM source WHERE EXISTS (SELECT 1 FROM change)"
    ).fetchone()
    return 0 if found is None else int(found[0])


def build_indexes(connection: sqlite3.Connection) -> None:
    """End the first read: build what `MIGRATIONS` left out."""
    for statement in _statements(INDEXES):
        connection.execute(statement)


def _statements(script: str) -> list[str]:
    # Not executescript: it commits the transaction it is called in.
    return [statement for statement in script.split(";\n") if statement.strip()]
