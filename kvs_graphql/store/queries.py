"""What can be read: each function returns a query, to be run by `Store.read` inside one snapshot."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kvs_graphql.records import Interest, Positions, Record, position_in
from kvs_graphql.store.schema import COLUMNS, is_indexed, window_changes

T = TypeVar("T")
Query = Callable[[sqlite3.Connection], T]

_KEYS_A_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Entries by ascending key, and whether there are more past the end that the page was cut at."""

    records: list[Record]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the table can tell of the past; a tuple has one offset a partition."""

    positions: Positions
    window_start: Positions
    """From here on every change is held."""
    deletes_known_from: Positions
    """From here on every delete is remembered."""
    indexed: bool
    """False during the first read of a topic: log order cannot be read yet."""


@dataclass(frozen=True, slots=True)
class Run:
    """A page of entries in the order of the log; `complete` where there are no more."""

    records: list[Record]
    complete: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of the change window: `records` in the order they were applied."""

    records: list[Record]
    through: int
    """The sequence number that the next page follows."""
    complete: bool
    """Whether the page reaches the end of the window, which is then at the snapshot's positions."""


@dataclass(frozen=True, slots=True)
class History:
    """Recent changes of keys; `window_start` is where the window they are from begins."""

    window_start: Positions
    changes: dict[bytes, list[Record]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is stored: bytes of the file, and changes in the window."""

    database_bytes: int
    window_changes: int


def get_many(keys: Sequence[bytes]) -> Query[list[Record | None]]:
    """The entry of each key, in order; None where there is none.

    One statement for many keys costs a third of one each: every statement lets go of the interpreter's lock and has
    to get it back.
    """

    def query(connection: sqlite3.Connection) -> list[Record | None]:
        found: dict[bytes, Record] = {}
        for start in range(0, len(keys), _KEYS_A_STATEMENT):
            some = keys[start : start + _KEYS_A_STATEMENT]
            places = ", ".join("?" * len(some))
            statement = f"SELECT {COLUMNS} FROM entry WHERE key IN ({places}) AND value IS NOT NULL"
            found.update((row[0], Record._make(row)) for row in connection.execute(statement, some).fetchall())
        return [found.get(key) for key in keys]

    return query


def page(
    limit: int, *, prefix: bytes = b"", after: bytes | None = None, before: bytes | None = None, last: bool = False
) -> Query[Page]:
    """The first (or with `last` the last) `limit` entries by key, strictly between `after` and `before`."""
    conditions, parameters = ["value IS NOT NULL"], []
    for condition, bound in (
        ("key >= ?", prefix or None),
        ("key < ?", _past_prefix(prefix)),
        ("key > ?", after),
        ("key < ?", before),
    ):
        if bound is not None:
            conditions.append(condition)
            parameters.append(bound)
    order = "DESC" if last else "ASC"
    statement = f"SELECT {COLUMNS} FROM entry WHERE {' AND '.join(conditions)} ORDER BY key {order} LIMIT ?"

    def query(connection: sqlite3.Connection) -> Page:
        rows = connection.execute(statement, (*parameters, limit + 1)).fetchall()
        records = [Record._make(row) for row in rows[:limit]]
        return Page(records[::-1] if last else records, has_more=len(rows) > limit)

    return query


def coverage() -> Query[Coverage]:
    """How far back cursors can be answered, and how."""

    def query(connection: sqlite3.Connection) -> Coverage:
        rows = connection.execute(
            "SELECT next_offset, window_start, deletes_known_from FROM position ORDER BY partition"
        ).fetchall()
        positions, window_start, deletes_known_from = zip(*rows, strict=True) if rows else ((), (), ())
        return Coverage(positions, window_start, deletes_known_from, is_indexed(connection))

    return query


def log_order(
    interest: Interest, partition: int, start: int, end: int, *, deletes: bool, limit: int, bytes_max: int
) -> Query[Run]:
    """Entries of one partition with `start <= offset < end`, by offset: until they are `limit`, or of so many bytes."""
    condition, parameters = _matching(interest)
    kept = "" if deletes else " AND value IS NOT NULL"
    statement = (
        f"SELECT {COLUMNS} FROM entry WHERE partition = ? AND offset >= ? AND offset < ?{kept} AND {condition} "
        "ORDER BY offset LIMIT ?"
    )

    def query(connection: sqlite3.Connection) -> Run:
        rows, complete = _fitting(
            connection.execute(statement, (partition, start, end, *parameters, limit)), limit, bytes_max
        )
        return Run([Record._make(row) for row in rows], complete)

    return query


def changes_after(interest: Interest, seen: Positions, sequence: int, *, limit: int, bytes_max: int) -> Query[Changes]:
    """Changes past `sequence` in the window (0: from its start) that are not below `seen`: until they are `limit`, or
    of so many bytes."""
    condition, parameters = _matching(interest)
    unseen, offsets = _unseen(seen)
    statement = (
        f"SELECT {COLUMNS}, sequence FROM change WHERE sequence > ? AND {unseen} AND {condition} "
        "ORDER BY sequence LIMIT ?"
    )

    def query(connection: sqlite3.Connection) -> Changes:
        rows, complete = _fitting(
            connection.execute(statement, (sequence, *offsets, *parameters, limit)), limit, bytes_max
        )
        records = [Record._make(row[:-1]) for row in rows]
        return Changes(records, rows[-1][-1] if rows else sequence, complete)

    return query


def history(keys: Iterable[bytes], until: Positions, last: int) -> Query[History]:
    """Of each key the last changes in the window that are below `until`, oldest first.

    One look at the whole window for all keys together: an index by key would cost the consumer a random write a
    record.
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
        return History(start, {key: changes[::-1] for key, changes in found.items()})

    return query


def partitions_of(key: bytes) -> Query[list[int]]:
    """The partitions whose last record of the key is a value, ascending; more than one where they disagree."""
    statement = " UNION ".join(
        f"SELECT partition FROM {table} WHERE key = ? AND value IS NOT NULL" for table in ("entry", "conflict")
    )

    def query(connection: sqlite3.Connection) -> list[int]:
        return [partition for (partition,) in connection.execute(f"{statement} ORDER BY 1", (key, key))]

    return query


def count_entries() -> Query[int]:
    """How many keys have a value. Costs about 10 ms a million keys."""

    def query(connection: sqlite3.Connection) -> int:
        # Two counts over the small indexes; one over the table with a condition would read every value.
        (keys,) = connection.execute("SELECT count(*) FROM entry").fetchone()
        (deleted,) = connection.execute("SELECT count(*) FROM entry WHERE value IS NULL").fetchone()
        return int(keys - deleted)

    return query


def sizes() -> Query[Sizes]:
    """How much is stored."""

    def query(connection: sqlite3.Connection) -> Sizes:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        return Sizes(pages * page_bytes, window_changes(connection))

    return query


def _fitting(rows: Iterable[tuple[Any, ...]], limit: int, bytes_max: int) -> tuple[list[tuple[Any, ...]], bool]:
    """Rows that begin as records do, until they are `limit` or of so many bytes; and whether they are all."""
    fitting, size = [], 0
    for row in rows:
        fitting.append(row)
        size += len(row[0]) + len(row[1] or b"") + len(row[5] or b"")
        if size >= bytes_max or len(fitting) == limit:
            return fitting, False
    return fitting, True


def _matching(interest: Interest) -> tuple[str, list[bytes]]:
    if interest.everything:
        return "TRUE", []
    alternatives, parameters = [], []
    if interest.keys is not None:
        alternatives.append(f"key IN ({', '.join('?' * len(interest.keys))})")
        parameters.extend(sorted(interest.keys))
    if interest.prefix is not None:
        past = _past_prefix(interest.prefix)
        alternatives.append("key >= ?" if past is None else "(key >= ? AND key < ?)")
        parameters.extend([interest.prefix] if past is None else [interest.prefix, past])
    return f"({' OR '.join(alternatives)})", parameters


def _unseen(seen: Positions) -> tuple[str, list[int]]:
    if not any(seen):
        return "TRUE", []
    cases = [(partition, offset) for partition, offset in enumerate(seen) if offset]
    return (
        f"offset >= CASE partition {'WHEN ? THEN ? ' * len(cases)}ELSE 0 END",
        [number for case in cases for number in case],
    )


def _past_prefix(prefix: bytes) -> bytes | None:
    """The first key after all that start with `prefix`; None where there is no such key."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
