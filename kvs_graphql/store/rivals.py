"""Keys that more than one partition holds: the slow way to apply a batch, for topics where that happens.

The rule is a function of the log and not of the order of arrival: of each partition the last record is kept,
and the one with the greatest (timestamp, partition) is shown, tombstones included.
"""

import sqlite3
from collections.abc import Iterable

from kvs_graphql.records import Record
from kvs_graphql.store.schema import COLUMNS

Lasts = dict[int, Record]
"""The last record of each partition that holds a key."""


def shown(lasts: Lasts) -> Record:
    """The record of a key that readers see."""
    return max(lasts.values(), key=_rank)


def apply_with_rivals(connection: sqlite3.Connection, records: Iterable[Record]) -> list[Record]:
    """Write a batch by the rule above; return what readers saw change, in order.

    A record that loses changes nothing. Where a record makes another partition's record win, the change has
    that record's content at the place of the one that caused it.
    """
    keys: dict[bytes, Lasts] = {}
    changes = []
    for record in records:
        lasts = keys.get(record.key)
        if lasts is None:
            lasts = keys[record.key] = _lasts(connection, record.key)
        before = shown(lasts) if lasts else None
        lasts[record.partition] = record
        winner = shown(lasts)
        if winner is not before:
            changes.append(winner._replace(partition=record.partition, offset=record.offset))
    _write(connection, keys)
    return changes


def _rank(record: Record) -> tuple[int, int]:
    return (-1 if record.timestamp is None else record.timestamp, record.partition)


def _lasts(connection: sqlite3.Connection, key: bytes) -> Lasts:
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM entry WHERE key = ? UNION ALL SELECT {COLUMNS} FROM rival WHERE key = ?",
        (key, key),
    )
    return {record.partition: record for record in map(Record._make, rows)}


def _write(connection: sqlite3.Connection, keys: dict[bytes, Lasts]) -> None:
    winners = {key: shown(lasts) for key, lasts in keys.items()}
    connection.executemany(f"REPLACE INTO entry ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", sorted(winners.values()))
    connection.executemany(
        "DELETE FROM rival WHERE key = ? AND partition = ?", [(key, r.partition) for key, r in winners.items()]
    )
    losers = [r for key, lasts in keys.items() for r in lasts.values() if r is not winners[key]]
    connection.executemany(f"REPLACE INTO rival ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", losers)
