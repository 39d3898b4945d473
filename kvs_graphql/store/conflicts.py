"""Partition conflicts: keys that more than one partition holds, and the slow way to apply a batch with such keys.

The last record of each partition is kept. Readers see the one with the greatest (timestamp, partition), even if it is
a tombstone. So the outcome depends on the log alone, not on the order of arrival, and is the same on every replica.
"""

import sqlite3
from collections.abc import Iterable

from kvs_graphql.records import Record
from kvs_graphql.store.schema import COLUMNS

LastRecords = dict[int, Record]
"""The last record of a key in each partition that holds it."""

_INSERT = f"({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"


def winner(last_records: LastRecords) -> Record:
    """Return the record that readers see."""
    return max(last_records.values(), key=_rank)


def apply_with_conflicts(connection: sqlite3.Connection, records: Iterable[Record]) -> list[Record]:
    """Write a batch by the rule above; return the changes that readers see, in order.

    A record that loses changes nothing. If a record makes another partition's record win, the change has the
    content of the winner, and the partition and offset of the record that caused it.
    """
    keys: dict[bytes, LastRecords] = {}
    changes = []
    for record in records:
        last_records = keys.get(record.key)
        if last_records is None:
            last_records = keys[record.key] = _last_records(connection, record.key)
        before = winner(last_records) if last_records else None
        last_records[record.partition] = record
        after = winner(last_records)
        if after is not before:
            changes.append(after._replace(partition=record.partition, offset=record.offset))
    _write(connection, keys)
    return changes


def has_conflicts(connection: sqlite3.Connection) -> bool:
    """Return whether any key in the table has records in more than one partition."""
    return connection.execute("SELECT 1 FROM conflict LIMIT 1").fetchone() is not None


def _rank(record: Record) -> tuple[int, int]:
    return (-1 if record.timestamp is None else record.timestamp, record.partition)


def _last_records(connection: sqlite3.Connection, key: bytes) -> LastRecords:
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM entry WHERE key = ? UNION ALL SELECT {COLUMNS} FROM conflict WHERE key = ?", (key, key)
    )
    return {record.partition: record for record in map(Record._make, rows)}


def _write(connection: sqlite3.Connection, keys: dict[bytes, LastRecords]) -> None:
    winners = {key: winner(last_records) for key, last_records in keys.items()}
    connection.executemany(f"REPLACE INTO entry {_INSERT}", sorted(winners.values()))
    connection.executemany(
        "DELETE FROM conflict WHERE key = ? AND partition = ?", [(key, r.partition) for key, r in winners.items()]
    )
    losers = [r for key, last_records in keys.items() for r in last_records.values() if r is not winners[key]]
    connection.executemany(f"REPLACE INTO conflict {_INSERT}", losers)
