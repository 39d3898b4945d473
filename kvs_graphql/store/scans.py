"""Scans, for watches: entries in the order of their offsets, and changes in the order of their application.

Each is a query that `Store.read` runs, and reads a page. It looks at a bounded number of rows, whether they match or
not: the reading connection, which others wait for, is free again soon.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kvs_graphql.records import Interest, Positions, Record
from kvs_graphql.store.queries import Query, end_of_prefix
from kvs_graphql.store.schema import COLUMNS
from kvs_graphql.store.statements import KEYS_PER_STATEMENT, bound_once, chunks, first_chunk, placeholders


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of entries in log order."""

    records: list[Record]
    through: int
    """The offset to read the next page from: nothing that matches is left below it."""


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of the change window, in the order of application."""

    records: list[Record]
    through: int
    """The sequence number to read the next page after."""
    complete: bool
    """Whether the page reaches the end of the window, and so the snapshot's positions."""


def log_order(
    interest: Interest,
    partition: int,
    start: int,
    end: int,
    *,
    deletes: bool,
    limit: int,
    bytes_max: int,
    rows_max: int,
) -> Query[LogPage]:
    """Read the entries of one partition with `start <= offset < end`, by offset, with remembered `deletes` or without.

    The page ends at `limit` entries, or with the entry that brings it to `bytes_max`. It ends too, maybe without any,
    where about `rows_max` entries were looked at. Entries are looked up where only their keys are of interest.
    """

    def query(connection: sqlite3.Connection) -> LogPage:
        if interest.everything:
            return _everything(connection, partition, start, end, deletes, limit, bytes_max, rows_max)
        found, bound = set[tuple[int, bytes]](), end
        if interest.prefix is not None:
            bound = _offset_after(connection, partition, start, end, rows_max)
            for prefix in interest.prefixes:
                found.update(_with_prefix(connection, prefix, partition, start, bound, limit))
        if interest.keys is not None:
            found.update(_with_keys(connection, interest.keys, partition, start, bound))
        wanted = sorted(found)[:limit]
        through = bound if len(wanted) < limit else wanted[-1][0] + 1
        records, taken = _take_entries(connection, [key for _, key in wanted], bytes_max, deletes=deletes)
        return LogPage(records, through if taken == len(wanted) else wanted[taken - 1][0] + 1)

    return query


def keys_by_partition(keys: Iterable[bytes]) -> Query[dict[int, list[bytes]]]:
    """Find which of these keys each partition has, as entries or remembered deletes."""
    wanted = sorted(keys)

    def query(connection: sqlite3.Connection) -> dict[int, list[bytes]]:
        found: dict[int, list[bytes]] = {}
        for chunk in chunks(wanted):
            statement = f"SELECT partition, key FROM entry WHERE key IN ({placeholders(chunk)})"
            for partition, key in connection.execute(statement, chunk):
                found.setdefault(partition, []).append(key)
        return found

    return query


def changes_after(
    interest: Interest, seen: Positions, sequence: int, *, limit: int, bytes_max: int, rows_max: int
) -> Query[Changes]:
    """Read the changes in the window after `sequence` (0: from its start) that are not below `seen`.

    The page ends at `limit` changes, or with the change that brings it to `bytes_max`. It ends too, maybe without any,
    where `rows_max` changes were looked at.
    """
    condition, parameters = _condition_of(interest)
    unseen, offsets = _condition_unseen(seen)
    statement = (
        f"SELECT {COLUMNS}, sequence FROM change WHERE sequence > ? AND sequence <= ? AND {unseen} AND {condition} "
        "ORDER BY sequence LIMIT ?"
    )

    def query(connection: sqlite3.Connection) -> Changes:
        first, last = connection.execute(
            "SELECT (SELECT min(sequence) FROM change), (SELECT max(sequence) FROM change)"
        ).fetchone()
        if last is None or last <= sequence:
            return Changes([], sequence, complete=True)
        after = max(sequence, first - 1)
        bound = min(after + rows_max, last)
        with bound_once(connection, statement, (after, bound, *offsets, *parameters, limit)) as found:
            rows, whole = _take_page(found, limit, bytes_max)
        records = [Record._make(row[:-1]) for row in rows]
        through = bound if whole else rows[-1][-1]
        return Changes(records, through, complete=whole and bound == last)

    return query


def _everything(
    connection: sqlite3.Connection,
    partition: int,
    start: int,
    end: int,
    deletes: bool,
    limit: int,
    bytes_max: int,
    rows_max: int,
) -> LogPage:
    kept, bound = "", end
    if not deletes:
        kept = " AND value IS NOT NULL"
        deleted = "SELECT 1 FROM entry WHERE value IS NULL AND partition = ? AND offset >= ? AND offset < ? LIMIT 1"
        if connection.execute(deleted, (partition, start, end)).fetchone():
            # To pass over a delete costs as much as to read an entry.
            bound = _offset_after(connection, partition, start, end, min(rows_max, 2 * limit))
    statement = (
        f"SELECT {COLUMNS} FROM entry WHERE partition = ? AND offset >= ? AND offset < ?{kept} ORDER BY offset LIMIT ?"
    )
    rows, whole = _take_page(connection.execute(statement, (partition, start, bound, limit)), limit, bytes_max)
    records = [Record._make(row) for row in rows]
    return LogPage(records, bound if whole else records[-1].offset + 1)


def _offset_after(connection: sqlite3.Connection, partition: int, start: int, end: int, rows: int) -> int:
    """The offset that follows on so many entries of a partition; `end` where there are no more."""
    statement = (
        "SELECT offset FROM entry WHERE partition = ? AND offset >= ? AND offset < ? ORDER BY offset LIMIT 1 OFFSET ?"
    )
    found = connection.execute(statement, (partition, start, end, rows)).fetchone()
    return end if found is None else int(found[0])


def _with_prefix(
    connection: sqlite3.Connection, prefix: bytes, partition: int, start: int, end: int, limit: int
) -> Iterable[tuple[int, bytes]]:
    """Offset and key of the first entries of a partition with that prefix. The index alone has the answer."""
    condition, parameters = _condition_of(Interest(prefix=prefix))
    statement = (
        f"SELECT offset, key FROM entry WHERE partition = ? AND offset >= ? AND offset < ? AND {condition} "
        "ORDER BY offset LIMIT ?"
    )
    return connection.execute(statement, (partition, start, end, *parameters, limit))


def _with_keys(
    connection: sqlite3.Connection, keys: Iterable[bytes], partition: int, start: int, end: int
) -> Iterator[tuple[int, bytes]]:
    """Offset and key of the entries of a partition among these keys."""
    for chunk in chunks(sorted(keys)):
        # The signs keep SQLite from searching all entries between the offsets instead.
        statement = (
            f"SELECT offset, key FROM entry WHERE key IN ({placeholders(chunk)}) "
            "AND +partition = ? AND +offset >= ? AND +offset < ?"
        )
        yield from connection.execute(statement, (*chunk, partition, start, end))


def _take_entries(
    connection: sqlite3.Connection, keys: Sequence[bytes], bytes_max: int, *, deletes: bool
) -> tuple[list[Record], int]:
    """Read the entries of keys in their order, up to `bytes_max`; return them, and how many keys they are of.

    Read in groups, for a statement costs more than an entry; no larger than the entries before let expect to be taken.
    """
    records: list[Record] = []
    taken = size = 0
    group = 1
    while taken < len(keys):
        chunk = first_chunk(keys[taken : taken + group])
        statement = f"SELECT {COLUMNS} FROM entry WHERE key IN ({placeholders(chunk)})"
        found = {row[0]: Record._make(row) for row in connection.execute(statement, chunk)}
        for key in chunk:
            taken += 1
            record = found[key]
            if deletes or not record.is_tombstone:
                records.append(record)
                size += record.size_bytes
            if size >= bytes_max:
                return records, taken
        group = min(KEYS_PER_STATEMENT, 2 * group, 1 + (bytes_max - size) * taken // max(size, 1))
    return records, taken


def _take_page(rows: Iterable[tuple[Any, ...]], limit: int, bytes_max: int) -> tuple[list[tuple[Any, ...]], bool]:
    """Take rows, which begin with the columns of a record, up to the limits; return them, and whether these are all."""
    taken, size = [], 0
    for row in rows:
        taken.append(row)
        size += len(row[0]) + len(row[1] or b"") + len(row[5] or b"")
        if size >= bytes_max or len(taken) == limit:
            return taken, False
    return taken, True


def _condition_of(interest: Interest) -> tuple[str, list[bytes]]:
    if interest.everything:
        return "TRUE", []
    alternatives: list[str] = []
    parameters: list[bytes] = []
    if interest.keys is not None:
        parameters = sorted(interest.keys)
        alternatives.append(f"key IN ({placeholders(parameters)})")
    for prefix in interest.prefixes:
        end = end_of_prefix(prefix)
        alternatives.append("key >= ?" if end is None else "(key >= ? AND key < ?)")
        parameters.extend([prefix] if end is None else [prefix, end])
    return f"({' OR '.join(alternatives)})", parameters


def _condition_unseen(seen: Positions) -> tuple[str, list[int]]:
    if not any(seen):
        return "TRUE", []
    cases = [(partition, offset) for partition, offset in enumerate(seen) if offset]
    return (
        f"offset >= CASE partition {'WHEN ? THEN ? ' * len(cases)}ELSE 0 END",
        [number for case in cases for number in case],
    )
