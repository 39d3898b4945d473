"""The queries: each function returns a query that `Store.read` runs inside one snapshot."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TypeVar

from kvs_graphql.records import Positions, Record, position_in
from kvs_graphql.store.schema import COLUMNS, window_changes
from kvs_graphql.store.statements import bound_once, chunks, placeholders

T = TypeVar("T")
Query = Callable[[sqlite3.Connection], T]

_NO_LIMIT = -1
_NO_END = 2**62


@dataclass(frozen=True, slots=True)
class Page:
    """Entries by ascending key, and whether more follow beyond the end where the page was cut."""

    records: list[Record]
    has_more: bool
    total_count: int | None = None
    """How many entries the prefix has in all; None where that was not asked for, or is over the limit."""


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

    __slots__ = ("bytes_max", "counted", "exhausted", "taken")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.taken = 0
        """What the queries so far have; the last one may have gone beyond the limit."""
        self.counted = 0
        """How many entries the queries so far have only counted."""
        self.exhausted = False
        """Whether a query ended early for want of bytes."""

    def give_up(self) -> TooManyBytes:
        """End a query that must not end early."""
        self.exhausted = True
        return TooManyBytes(self.bytes_max)


def get_many(
    keys: Sequence[bytes], within: ReadBytes, entry_bytes_max: int | None = None, left_out: set[bytes] | None = None
) -> Query[list[Record | None] | TooManyBytes]:
    """Read the entry of each key, in the order of the keys; None for a key without an entry.

    TooManyBytes where the entries, each counted as often as its key is named, have more bytes than are left. Entries of
    more than `entry_bytes_max` are left out, without being read, and their keys added to `left_out`.

    One statement for many keys costs a third of one statement per key, because each statement releases the
    interpreter's lock and has to acquire it again.
    """

    def query(connection: sqlite3.Connection) -> list[Record | None] | TooManyBytes:
        found: dict[bytes, Record] = {}
        size, bytes_max = 0, within.bytes_max - within.taken
        columns = COLUMNS if entry_bytes_max is None else _of_small_entries(entry_bytes_max)
        for chunk in chunks(keys):
            statement = f"SELECT {columns} FROM entry WHERE key IN ({placeholders(chunk)}) AND value IS NOT NULL"
            for row in connection.execute(statement, chunk):
                if row[1] is None:
                    assert left_out is not None
                    left_out.add(row[0])
                    continue
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


def _of_small_entries(bytes_max: int) -> str:
    """The columns of entries; null for the value and the headers of those that are larger, which are not read."""
    is_small = f"length(key) + length(value) + ifnull(length(headers), 0) <= {bytes_max}"
    large = {"value", "headers"}
    return ", ".join(f"CASE WHEN {is_small} THEN {name} END" if name in large else name for name in Record._fields)


def get_groups(groups: Sequence[Sequence[bytes]], within: ReadBytes) -> Query[list[list[Record | None] | TooManyBytes]]:
    """Read the entries of groups of keys, each as `get_many` does: together, and one by one where that is too much."""

    def query(connection: sqlite3.Connection) -> list[list[Record | None] | TooManyBytes]:
        found = get_many([key for group in groups for key in group], within)(connection)
        if isinstance(found, TooManyBytes):
            return [get_many(group, within)(connection) for group in groups]
        records = iter(found)
        return [list(islice(records, len(group))) for group in groups]

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
        ("key < ?", end_of_prefix(prefix)),
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


def count_prefix(limit: int, prefix: bytes, within: ReadBytes) -> Query[int | None]:
    """Count the entries whose keys start with a prefix; None where all counts of the read find more than `limit`."""
    end = end_of_prefix(prefix)
    below, parameters = ("", (prefix,)) if end is None else ("AND key < ?", (prefix, end))
    entries = f"SELECT 1 FROM entry WHERE value IS NOT NULL AND key >= ? {below} LIMIT ?"

    def query(connection: sqlite3.Connection) -> int | None:
        left = limit - within.counted
        if left < 0:
            return None
        (number,) = connection.execute(f"SELECT count(*) FROM ({entries})", (*parameters, left + 1)).fetchone()
        within.counted += number
        return int(number) if number <= left else None

    return query


def pages(
    limit: int,
    prefixes: Sequence[bytes],
    within: ReadBytes,
    *,
    after: bytes | None = None,
    before: bytes | None = None,
    last: bool = False,
) -> Query[Page | TooManyBytes]:
    """The same as `page`, over the keys with any of the prefixes, which are in order and not within each other."""

    def query(connection: sqlite3.Connection) -> Page | TooManyBytes:
        records: list[Record] = []
        for prefix in reversed(prefixes) if last else prefixes:
            out_of_bytes = bool(records) and within.taken >= within.bytes_max
            is_full = out_of_bytes or len(records) == limit
            # Beyond a full page, whether there is anything.
            asked = (1, ReadBytes(_NO_END)) if is_full else (limit - len(records), within)
            found = page(*asked, prefix=prefix, after=after, before=before, last=last)(connection)
            if isinstance(found, TooManyBytes):
                return found
            if is_full and found.records:
                within.exhausted |= out_of_bytes
                return Page(records, has_more=True)
            if not is_full:
                records = [*found.records, *records] if last else [*records, *found.records]
            if found.has_more:
                return Page(records, has_more=True)
        return Page(records, has_more=False)

    return query


def count_prefixes(limit: int, prefixes: Sequence[bytes], within: ReadBytes) -> Query[int | None]:
    """The same as `count_prefix`, over the keys with any of the prefixes, which are not within each other."""

    def query(connection: sqlite3.Connection) -> int | None:
        numbers = [count_prefix(limit, prefix, within)(connection) for prefix in prefixes]
        return None if None in numbers else sum(number for number in numbers if number is not None)

    return query


def history(keys: Iterable[bytes], until: Positions, last: int, within: ReadBytes) -> Query[History]:
    """Read the `last` changes of each key in the window that are below `until`.

    The newest come first: that of all keys with which no bytes are left is the oldest read.

    One scan of the window serves all keys. An index by key would cost the consumer a random write per record.
    """
    wanted = sorted(set(keys))
    statement = f"SELECT {COLUMNS} FROM change WHERE key IN ({placeholders(wanted)}) ORDER BY sequence DESC LIMIT ?"

    def query(connection: sqlite3.Connection) -> History:
        start = tuple(o for (o,) in connection.execute("SELECT window_start FROM position ORDER BY partition"))
        found: dict[bytes, list[Record]] = {key: [] for key in wanted}
        with bound_once(connection, statement, (*wanted, _NO_LIMIT)) as rows:
            for record in map(Record._make, rows):
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


def end_of_prefix(prefix: bytes) -> bytes | None:
    """Return the first key after all that start with `prefix`, or None if no key follows them."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
