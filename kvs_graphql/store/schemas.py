"""The schemas of a table's keys and values, kept beside them, so that neither a start nor a read needs the registry."""

import sqlite3
from typing import NamedTuple


class Served(NamedTuple):
    """A schema that is served."""

    id: int
    version: int


class KeptSchemas(NamedTuple):
    """What the file has, or what is to be added to it."""

    documents: dict[int, str | None] = {}  # noqa: RUF012 - never changed
    """By id: whatever the one who kept it needs to have the schema again; None where it is still to be found."""
    served: dict[str, Served] = {}  # noqa: RUF012 - never changed
    """By part of a record, `key` or `value`: the schema that was served last."""


def kept(connection: sqlite3.Connection) -> KeptSchemas:
    """All of them."""
    documents = dict(connection.execute("SELECT id, document FROM schema").fetchall())
    served = connection.execute("SELECT part, id, version FROM served_schema").fetchall()
    return KeptSchemas(documents, {part: Served(*rest) for part, *rest in served})


def keep(connection: sqlite3.Connection, schemas: KeptSchemas) -> None:
    """Keep schemas; others stay."""
    connection.executemany(
        "INSERT INTO schema (id, document) VALUES (?, ?) "
        "ON CONFLICT (id) DO UPDATE SET document = coalesce(excluded.document, document)",
        schemas.documents.items(),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO served_schema (part, id, version) VALUES (?, ?, ?)",
        [(part, *served) for part, served in schemas.served.items()],
    )


def ids_in_keys(connection: sqlite3.Connection, at_most: int) -> list[int]:
    """The ids of schemas that keys begin with; one step in the table's order for each of them."""
    ids: list[int] = []
    frame: bytes | None = b"\0"
    while frame is not None and len(ids) < at_most:
        query = "SELECT key FROM entry WHERE key >= ? AND key < x'01' AND length(key) >= 5 ORDER BY key LIMIT 1"
        found = connection.execute(query, (frame,)).fetchone()
        frame = None
        if found is not None:
            ids.append(int.from_bytes(found[0][1:5]))
            frame = None if ids[-1] == 2**32 - 1 else b"\0" + (ids[-1] + 1).to_bytes(4)
    return ids
