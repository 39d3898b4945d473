"""Statements that are bound to as many bytes as clients or records have.

Python's sqlite3 keeps the last statements of a connection, each with a copy of what was bound to it last, and cannot
clear that. So a statement is bound to a bounded number of bytes, or executed once more without any.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

KEYS_PER_STATEMENT = 500
BYTES_PER_STATEMENT = 64 * 1024
"""The bytes of keys that one statement is bound to, unless it is a single key."""


def chunks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Split keys into as many as one statement may be bound to."""
    for start in range(0, len(keys), KEYS_PER_STATEMENT):
        yield from _halves(keys[start : start + KEYS_PER_STATEMENT])


def first_chunk(keys: Sequence[bytes]) -> Sequence[bytes]:
    """As many of the first keys as one statement may be bound to."""
    return next(chunks(keys))


def placeholders(keys: Sequence[bytes]) -> str:
    """What stands for the keys in the text of a statement."""
    return ", ".join("?" * len(keys))


@contextmanager
def bound_once(
    connection: sqlite3.Connection, statement: str, parameters: Sequence[bytes | int]
) -> Iterator[sqlite3.Cursor]:
    """Execute a SELECT that cannot be split, and bind nothing to it afterwards.

    It selects no row, and ends at once, where its numbers are 0.
    """
    rows = connection.execute(statement, parameters)
    try:
        yield rows
    finally:
        rows.close()
        if sum(len(value) for value in parameters if isinstance(value, bytes)) > BYTES_PER_STATEMENT:
            connection.execute(statement, [0 if isinstance(value, int) else None for value in parameters])


def _halves(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    if len(keys) > 1 and sum(map(len, keys)) > BYTES_PER_STATEMENT:
        middle = len(keys) // 2
        yield from chain(_halves(keys[:middle]), _halves(keys[middle:]))
    else:
        yield keys
