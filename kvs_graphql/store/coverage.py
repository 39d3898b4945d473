"""Where the table stands in a snapshot, and how much of the past it holds."""

import sqlite3
from dataclasses import dataclass

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.records import UNKNOWN_EPOCH, Positions
from kvs_graphql.store.schema import is_indexed

_READ = "SELECT next_offset, leader_epoch, window_start, deletes_known_from FROM position ORDER BY partition"


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the past the table holds, with one offset per partition."""

    positions: Positions
    window_start: Positions
    """The change window holds every change from here on."""
    deletes_known_from: Positions
    """The table remembers every delete from here on."""
    indexed: bool
    """Whether the table can be read in log order: false during the first read of a topic."""


Known = tuple[Cursor, Coverage]


class KnownPositions:
    """What was read of the positions on each connection of a store.

    A topic may have thousands of partitions, so they are read again only after another commit. SQLite's `data_version`
    tells of those of other connections, and the number of changes of this connection's own.
    """

    def __init__(self, table: str) -> None:
        """`table` is the name with which cursors are labelled."""
        self._table = table
        # Held, since the address of a connection that is gone may become another one's.
        self._known: dict[sqlite3.Connection, tuple[tuple[int, int], Known]] = {}

    def of(self, connection: sqlite3.Connection) -> Known:
        """Return the cursor and the coverage of the connection's snapshot."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        state = version, connection.total_changes
        known = self._known.get(connection)
        if known is None or known[0] != state:
            known = self._known[connection] = state, read_positions(connection, self._table)
        return known[1]


def read_positions(connection: sqlite3.Connection, table: str) -> Known:
    """Read the cursor and the coverage of the connection's snapshot."""
    found = connection.execute("SELECT topic_id FROM source").fetchone()
    rows = connection.execute(_READ).fetchall()
    positions, epochs, window_start, deletes_known_from = zip(*rows, strict=True) if rows else ((), (), (), ())
    known = epochs if max(epochs, default=UNKNOWN_EPOCH) != UNKNOWN_EPOCH else ()
    cursor = Cursor(NO_TOPIC_ID if found is None else found[0], positions, (), known, table)
    return cursor, Coverage(positions, window_start, deletes_known_from, is_indexed(connection))
