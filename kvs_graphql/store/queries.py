"""The queries: each function returns a query that `Store.read` runs inside one snapshot."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from kvs_graphql.records import Interest, Positions, Record, position_in
from kvs_graphql.store.schema import COLUMNS, is_indexed, window_changes

T = TypeVar("T")
Query = Callable[[sqlite3.Connection], T]

_KEYS_PER_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Entries by ascending key, and whether more follow beyond the end where the page was cut."""

    records: list[Record]
    has_more: bool


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


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of entries in log order."""

    records: list[Record]
    complete: bool
    """Whether no more entries follow."""


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of the change window, in the order of application."""

    records: list[Record]
    through: int
    """The sequence number to read the next page after."""
    complete: bool
    """Whether the page reaches the end of the window, and so the snapshot's positions."""


@dataclass(frozen=True, slots=True)
class History:
    """Recent changes of some keys."""

    window_start: Positions
    """The start of the change window."""
    changes: dict[bytes, list[Record]]
    """The changes of each key, oldest first."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The size of the file, and the number of changes in the window."""

    database_bytes: int
    window_changes: int


class TooManyBytes(NamedTuple):
    """Stands for entries that have more bytes than allowed; reading them was given up early."""

    bytes_max: int


class ReadBytes:
    """The bytes that the queries of one read may have together. A read that is to be repeated needs a new one."""

    __slots__ = ("bytes_max", "exhausted", "taken")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.taken = 0
        """What the queries so far have; the last one may have gone beyond the limit."""
        self.exhausted = False
        """Whether a query ended early for want of bytes."""

    def give_up(self) -> TooManyBytes:
        """End a query that must not end early."""
        self.exhausted = True
        return TooManyBytes(self.bytes_max)


def get_many(keys: Sequence[bytes], within: ReadBytes) -> Query[list[Record | None] | TooManyBytes]:
    """Read the entry of each key, in the order of the keys; None for a key without an entry.

    TooManyBytes where the entries, each counted as often as its key is named, have more bytes than are left.

    One statement for many keys costs a third of one statement per key, because each statement releases the
    interpreter's lock and has to acquire it again.
    """

    def query(connection: sqlite3.Connection) -> list[Record | None] | TooManyBytes:
        found: dict[bytes, Record] = {}
        size, bytes_max = 0, within.bytes_max - within.taken
        for start in range(0, len(keys), _KEYS_PER_STATEMENT):
            chunk = keys[start : start + _KEYS_PER_STATEMENT]
            placeholders = ", ".join("?" * len(chunk))
            statement = f"SELECT {COLUMNS} FROM entry WHERE key IN ({placeholders}) AND value IS NOT NULL"
            for row in connection.execute(statement, chunk):
                # Inline, for a call would cost a page a few per cent.
                size += len(row[0]) + len(row[1]) + len(row[5] or b"")
                if size > bytes_max:
                    return within.give_up()
                found[row[0]] = Record._make(row)
        records = [found.get(key) for key in keys]
        if len(found) < len(keys):
            size = sum(record.size_bytes for record in records if record is not None)
            if size > bytes_max:
                return within.give_up()
        within.taken += size
        return records

    return query


def page(
    limit: int,
    within: ReadBytes,
    *,
    prefix: bytes = b"",
    after: bytes | None = None,
    before: bytes | None = None,
    last: bool = False,
) -> Query[Page | TooManyBytes]:
    """Read the first `limit` entries by key, or the last ones with `last`, strictly between `after` and `before`.

    The page ends early after the first entry with which no bytes are left. TooManyBytes where none were left for it.
    """
    conditions, parameters = ["value IS NOT NULL"], []
    for condition, bound in (
        ("key >= ?", prefix or None),
        ("key < ?", _end_of_prefix(prefix)),
        ("key > ?", after),
        ("key < ?", before),
    ):
        if bound is not None:
            conditions.append(condition)
            parameters.append(bound)
    order = "DESC" if last else "ASC"
    statement = f"SELECT {COLUMNS} FROM entry WHERE {' AND '.join(conditions)} ORDER BY key {order} LIMIT ?"

    def query(connection: sqlite3.Connection) -> Page | TooManyBytes:
        records: list[Record] = []
        size, has_more, bytes_max = 0, False, within.bytes_max - within.taken
        if bytes_max <= 0:
            return within.give_up()
        for row in connection.execute(statement, (*parameters, limit + 1)):
            if len(records) == limit or size >= bytes_max:
                has_more = True
                within.exhausted |= len(records) < limit
                break
            records.append(Record._make(row))
            size += len(row[0]) + len(row[1]) + len(row[5] or b"")
        within.taken += size
        return Page(records[::-1] if last else records, has_more)

    return query


def coverage() -> Query[Coverage]:
    """Read how much of the past the table holds."""

    def query(connection: sqlite3.Connection) -> Coverage:
        rows = connection.execute(
            "SELECT next_offset, window_start, deletes_known_from FROM position ORDER BY partition"
        ).fetchall()
        positions, window_start, deletes_known_from = zip(*rows, strict=True) if rows else ((), (), ())
        return Coverage(positions, window_start, deletes_known_from, is_indexed(connection))

    return query


def log_order(
    interest: Interest, partition: int, start: int, end: int, *, deletes: bool, limit: int, bytes_max: int
) -> Query[LogPage]:
    """Read the entries of one partition with `start <= offset < end`, by offset, with remembered `deletes` or without.

    The page ends at `limit` entries, or with the entry that brings it to `bytes_max`.
    """
    condition, parameters = _condition_of(interest)
    kept = "" if deletes else " AND value IS NOT NULL"
    statement = (
        f"SELECT {COLUMNS} FROM entry WHERE partition = ? AND offset >= ? AND offset < ?{kept} AND {condition} "
        "ORDER BY offset LIMIT ?"
    )

    def query(connection: sqlite3.Connection) -> LogPage:
        rows, complete = _take_page(
            connection.execute(statement, (partition, start, end, *parameters, limit)), limit, bytes_max
        )
        return LogPage([Record._make(row) for row in rows], complete)

    return query


def changes_after(interest: Interest, seen: Positions, sequence: int, *, limit: int, bytes_max: int) -> Query[Changes]:
    """Read the changes in the window after `sequence` (0: from its start) that are not below `seen`.

    The page ends at `limit` changes, or with the change that brings it to `bytes_max`.
    """
    condition, parameters = _condition_of(interest)
    unseen, offsets = _condition_unseen(seen)
    statement = (
        f"SELECT {COLUMNS}, sequence FROM change WHERE sequence > ? AND {unseen} AND {condition} "
        "ORDER BY sequence LIMIT ?"
    )

    def query(connection: sqlite3.Connection) -> Changes:
        rows, complete = _take_page(
            connection.execute(statement, (sequence, *offsets, *parameters, limit)), limit, bytes_max
        )
        records = [Record._make(row[:-1]) for row in rows]
        return Changes(records, rows[-1][-1] if rows else sequence, complete)

    return query


def history(keys: Iterable[bytes], until: Positions, last: int, within: ReadBytes) -> Query[History]:
    """Read the `last` changes of each key in the window that are below `until`.

    The newest come first: that of all keys with which no bytes are left is the oldest read.

    One scan of the window serves all keys. An index by key would cost the consumer a random write per record.
    """
    wanted = sorted(set(keys))
    statement = f"SELECT {COLUMNS} FROM change WHERE key IN ({', '.join('?' * len(wanted))}) ORDER BY sequence DESC"

    def query(connection: sqlite3.Connection) -> History:
        start = tuple(o for (o,) in connection.execute("SELECT window_start FROM position ORDER BY partition"))
        found: dict[bytes, list[Record]] = {key: [] for key in wanted}
        for record in map(Record._make, connection.execute(statement, wanted)):
            changes = found[record.key]
            if record.offset < position_in(until, record.partition) and len(changes) < last:
                changes.append(record)
                within.taken += record.size_bytes
                if within.taken >= within.bytes_max:
                    within.exhausted = True
                    break
        return History(start, {key: changes[::-1] for key, changes in found.items()})

    return query


def partitions_of(key: bytes) -> Query[list[int]]:
    """Read the partitions whose last record of the key has a value, ascending."""
    statement = " UNION ".join(
        f"SELECT partition FROM {table} WHERE key = ? AND value IS NOT NULL" for table in ("entry", "conflict")
    )

    def query(connection: sqlite3.Connection) -> list[int]:
        return [partition for (partition,) in connection.execute(f"{statement} ORDER BY 1", (key, key))]

    return query


def count_entries() -> Query[int]:
    """Count the keys that have a value. Takes about 10 ms per million keys."""

    def query(connection: sqlite3.Connection) -> int:
        # Both counts scan small indexes; a single one with a condition would read every value.
        (keys,) = connection.execute("SELECT count(*) FROM entry").fetchone()
        (deleted,) = connection.execute("SELECT count(*) FROM entry WHERE value IS NULL").fetchone()
        return int(keys - deleted)

    return query


def sizes() -> Query[Sizes]:
    """Read the sizes of what is stored."""

    def query(connection: sqlite3.Connection) -> Sizes:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        return Sizes(pages * page_bytes, window_changes(connection))

    return query


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
    alternatives, parameters = [], []
    if interest.keys is not None:
        alternatives.append(f"key IN ({', '.join('?' * len(interest.keys))})")
        parameters.extend(sorted(interest.keys))
    if interest.prefix is not None:
        end = _end_of_prefix(interest.prefix)
        alternatives.append("key >= ?" if end is None else "(key >= ? AND key < ?)")
        parameters.extend([interest.prefix] if end is None else [interest.prefix, end])
    return f"({' OR '.join(alternatives)})", parameters


def _condition_unseen(seen: Positions) -> tuple[str, list[int]]:
    if not any(seen):
        return "TRUE", []
    cases = [(partition, offset) for partition, offset in enumerate(seen) if offset]
    return (
        f"offset >= CASE partition {'WHEN ? THEN ? ' * len(cases)}ELSE 0 END",
        [number for case in cases for number in case],
    )


def _end_of_prefix(prefix: bytes) -> bytes | None:
    """Return the first key after all that start with `prefix`, or None if no key follows them."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
