"""Write a batch: its entries, changes and positions, in the caller's transaction."""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from kvs_graphql.records import Batch, Commit, Positions, Record, epoch_in, position_in
from kvs_graphql.store.conflicts import apply_with_conflicts, has_conflicts
from kvs_graphql.store.schema import COLUMNS, is_indexed, window_changes

_INSERT_ENTRY = f"INSERT INTO entry ({COLUMNS}) VALUES "
_OR_UPDATE = """
ON CONFLICT (key) DO UPDATE SET
    value = excluded.value, offset = excluded.offset, timestamp = excluded.timestamp, headers = excluded.headers
WHERE partition = excluded.partition
"""
_INSERT_CHANGE = f"INSERT INTO change ({COLUMNS}, sequence) VALUES "
# Neighbouring keys share pages, so rows sorted by key touch fewer of them. A key's last change comes last, and stays.
_CHANGES_TO_ENTRIES = f"""
INSERT INTO entry ({COLUMNS}) SELECT {COLUMNS} FROM change WHERE sequence >= ? ORDER BY key, sequence{_OR_UPDATE}
"""
_ROWS_PER_STATEMENT = 500
_BYTES_PER_STATEMENT = 1024 * 1024
_BYTES_COLUMNS = [Record._fields.index(name) for name in ("key", "value", "headers")]
_KEYS_PER_SORT = 2_000
_MOVE_POSITION = """
INSERT INTO position (partition, next_offset, window_start, deletes_known_from, leader_epoch) VALUES (?, ?, ?, 0, ?)
ON CONFLICT (partition) DO UPDATE SET next_offset = excluded.next_offset, leader_epoch = excluded.leader_epoch
"""


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """How much of the past is kept."""

    changes_max: int
    """Changes in the window."""
    bytes_max: int
    """Bytes of their keys, values and headers."""
    deletes_max: int
    """Remembered deletes."""


def apply(
    connection: sqlite3.Connection, batch: Batch, before: Positions, deletes: int, limits: WindowLimits
) -> tuple[Commit, int]:
    """Write a batch; return the commit that it makes, and an upper bound of the deletes remembered after it.

    `deletes` is such a bound before the batch.
    """
    # Changes this far behind the end would leave the window before anyone could read them.
    remembered = batch.remaining < limits.changes_max
    changes, size_bytes = _write(connection, batch, remembered=remembered)
    if remembered:
        _trim_window(connection, limits)
    else:
        _skip_window(connection, batch.positions)
    connection.executemany(
        _MOVE_POSITION,
        [(p, offset, position_in(before, p), epoch_in(batch.epochs, p)) for p, offset in enumerate(batch.positions)],
    )
    # An upper bound is enough below the limit: counting is expensive, and many keys are deleted more than once.
    deletes += sum(change.value is None for change in changes)
    if deletes > limits.deletes_max and is_indexed(connection):
        deletes = forget_deletes(connection, limits)
    return Commit(before, batch.positions, changes, size_bytes, batch.epochs), deletes


def forget_deletes(connection: sqlite3.Connection, limits: WindowLimits) -> int:
    """Forget the oldest remembered deletes beyond the limit; return how many are left.

    `deletes_known_from` moves past the forgotten ones. An eighth of the limit is freed as well, so that not every
    later delete has to forget another.
    """
    counts = connection.execute(
        "SELECT partition, count(*) FROM entry WHERE value IS NULL GROUP BY partition"
    ).fetchall()
    total: int = sum(count for _, count in counts)
    if total <= limits.deletes_max:
        return total
    excess = total - (limits.deletes_max - limits.deletes_max // 8)
    forgotten: int = 0
    for partition, count in counts:
        forgotten += _forget_oldest(connection, partition, -(-excess * count // total))
    return total - forgotten


def deletes_known_from(connection: sqlite3.Connection) -> Positions:
    """Read from where on every delete is remembered."""
    return tuple(o for (o,) in connection.execute("SELECT deletes_known_from FROM position ORDER BY partition"))


def remember_deletes_from(connection: sqlite3.Connection, offsets: Positions) -> None:
    """Set from where on every delete is remembered."""
    connection.executemany(
        "UPDATE position SET deletes_known_from = ? WHERE partition = ?", [(o, p) for p, o in enumerate(offsets)]
    )


def _write(connection: sqlite3.Connection, batch: Batch, *, remembered: bool) -> tuple[list[Record], int]:
    """Write the entries and, if `remembered`, the changes; return the changes that readers see, and their bytes."""
    changes = batch.runs[0] if len(batch.runs) == 1 else [record for run in batch.runs for record in run]
    if not has_conflicts(connection):
        connection.execute("SAVEPOINT fast_path")
        if _write_through_changes(connection, changes, batch) if remembered else _write_latest(connection, batch):
            connection.execute("RELEASE fast_path")
            return changes, batch.size_bytes
        # Another partition holds one of the keys: undo, and apply the batch the slow way.
        connection.execute("ROLLBACK TO fast_path")
        connection.execute("RELEASE fast_path")
    changes = apply_with_conflicts(connection, changes)
    size_bytes = sum(change.size_bytes for change in changes)
    if remembered:
        _write_changes(connection, changes, size_bytes)
    return changes, size_bytes


def _write_through_changes(connection: sqlite3.Connection, changes: Sequence[Record], batch: Batch) -> bool:
    """Write the changes, and copy them to the entries; return False if another partition holds one of the keys.

    A row that crosses from Python to SQLite costs more than one that SQLite copies, so each row crosses once.
    """
    first = _write_changes(connection, changes, batch.size_bytes)
    return connection.execute(_CHANGES_TO_ENTRIES, (first,)).rowcount == len(changes)


def _write_latest(connection: sqlite3.Connection, batch: Batch) -> bool:
    """Write the last record of each key; return False if another partition holds one of the keys."""
    latest = [{record.key: record for record in run} for run in batch.runs]
    merged = latest[0] if len(latest) == 1 else {key: record for run in latest for key, record in run.items()}
    if len(merged) < sum(map(len, latest)):
        return False
    return _write_rows(connection, _INSERT_ENTRY, _sorted(merged), _OR_UPDATE) == len(merged)


def _sorted(records: Mapping[bytes, Record]) -> list[Record]:
    """Sort the records by key, a few at a time: a sort holds the interpreter's lock, and so stops every reader."""
    if len(records) <= _KEYS_PER_SORT:
        return sorted(records.values())
    pivots = sorted(islice(records, 0, None, _KEYS_PER_SORT))
    buckets: list[list[Record]] = [[] for _ in range(len(pivots) + 1)]
    for key, record in records.items():
        buckets[bisect_left(pivots, key)].append(record)
    return [record for bucket in buckets for record in sorted(bucket)]


def _write_rows(
    connection: sqlite3.Connection, insert: str, rows: Sequence[tuple[Any, ...]], conflict: str = ""
) -> int:
    """Insert rows, many per statement; return the number of rows written.

    SQLite releases the interpreter's lock for each statement, and waits to get it back while another thread is busy.
    With one row per statement, a consumer that decodes meanwhile slows it down to a tenth of its speed.
    """
    return sum(
        _write_chunk(connection, insert, rows[start : start + _ROWS_PER_STATEMENT], conflict)
        for start in range(0, len(rows), _ROWS_PER_STATEMENT)
    )


def _write_chunk(connection: sqlite3.Connection, insert: str, rows: Sequence[tuple[Any, ...]], conflict: str) -> int:
    columns = list(zip(*rows, strict=True))
    if len(rows) > 1 and sum([sum(map(len, filter(None, columns[n]))) for n in _BYTES_COLUMNS]) > _BYTES_PER_STATEMENT:
        # The connection keeps a copy of what was last bound to each statement.
        middle = len(rows) // 2
        return sum(_write_chunk(connection, insert, half, conflict) for half in (rows[:middle], rows[middle:]))
    row = ", ".join("NULL" if _is_null(column) else "?" for column in columns)
    given = zip(*(_fast_to_bind(column) for column in columns if not _is_null(column)), strict=True)
    statement = f"{insert}{', '.join([f'({row})'] * len(rows))}{conflict}"
    return connection.execute(statement, list(chain.from_iterable(given))).rowcount


def _is_null(column: tuple[Any, ...]) -> bool:
    return column[0] is None and column.count(None) == len(column)


def _fast_to_bind(column: tuple[Any, ...]) -> Iterable[Any]:
    """Return the values in types that Python's sqlite3 binds directly; for bytes it looks for an adapter first."""
    if not isinstance(column[0], bytes):
        return column
    return [value and bytearray(value) for value in column]


def _write_changes(connection: sqlite3.Connection, changes: Sequence[Record], size_bytes: int) -> int:
    """Write the changes into the window; return the sequence number of the first."""
    first: int
    (first,) = connection.execute("SELECT next_sequence FROM source").fetchone()
    _write_rows(connection, _INSERT_CHANGE, [(*change, first + i) for i, change in enumerate(changes)])
    connection.execute(
        "UPDATE source SET next_sequence = ?, window_bytes = window_bytes + ?", (first + len(changes), size_bytes)
    )
    return first


def _skip_window(connection: sqlite3.Connection, positions: Positions) -> None:
    """Empty the window, and let it start where the batch ends."""
    connection.execute("DELETE FROM change")
    connection.execute("UPDATE source SET window_bytes = 0")
    connection.executemany(
        "INSERT INTO position (partition, next_offset, window_start, deletes_known_from) VALUES (?, ?, ?, 0) "
        "ON CONFLICT (partition) DO UPDATE SET window_start = excluded.window_start",
        [(partition, offset, offset) for partition, offset in enumerate(positions)],
    )


def _trim_window(connection: sqlite3.Connection, limits: WindowLimits) -> None:
    """If the window exceeds a limit, drop its oldest changes until an eighth of the limit is free."""
    held = window_changes(connection)
    (held_bytes,) = connection.execute("SELECT window_bytes FROM source").fetchone()
    if held <= limits.changes_max and held_bytes <= limits.bytes_max:
        return
    keep = limits.changes_max - limits.changes_max // 8
    keep_bytes = limits.bytes_max - limits.bytes_max // 8 if held_bytes > limits.bytes_max else held_bytes
    window_start: dict[int, int] = {}
    through = 0
    for sequence, partition, offset, size in connection.execute(
        "SELECT sequence, partition, offset, length(key) + ifnull(length(value), 0) + ifnull(length(headers), 0) "
        "FROM change ORDER BY sequence"
    ):
        if held <= keep and held_bytes <= keep_bytes:
            break
        through, held, held_bytes = sequence, held - 1, held_bytes - size
        window_start[partition] = offset + 1
    connection.execute("DELETE FROM change WHERE sequence <= ?", (through,))
    connection.execute("UPDATE source SET window_bytes = ?", (held_bytes,))
    connection.executemany(
        "UPDATE position SET window_start = ? WHERE partition = ?", [(o, p) for p, o in window_start.items()]
    )


def _forget_oldest(connection: sqlite3.Connection, partition: int, count: int) -> int:
    found = connection.execute(
        "SELECT offset FROM entry WHERE value IS NULL AND partition = ? ORDER BY offset LIMIT 1 OFFSET ?",
        (partition, count - 1),
    ).fetchone()
    if found is None:
        return 0
    # A delete that wins a conflict has to stay: without it, the next record of the losing partition would be shown.
    forgotten = connection.execute(
        "DELETE FROM entry WHERE value IS NULL AND partition = ? AND offset <= ? "
        "AND NOT EXISTS (SELECT 1 FROM conflict WHERE conflict.key = entry.key)",
        (partition, found[0]),
    ).rowcount
    connection.execute(
        "UPDATE position SET deletes_known_from = max(deletes_known_from, ?) WHERE partition = ?",
        (found[0] + 1, partition),
    )
    return forgotten
