"""What a principal sees of a table of which it may read only the keys with some prefixes.

The other keys do not exist for it: a read of one costs what a read of an absent key costs, whether it is there or not.
Pure.
"""

import secrets
from collections.abc import Sequence

from kvs_graphql.access import within
from kvs_graphql.records import Interest, Record

NOWHERE = secrets.token_bytes(32)
"""Looked up instead of a key that may not be read. Nobody knows it, so no record has it and counts by its size."""


def looked_up(prefixes: tuple[bytes, ...], keys: Sequence[bytes]) -> list[bytes]:
    """The keys to read instead of those asked for."""
    return [key if key.startswith(prefixes) else NOWHERE for key in keys]


def hidden(prefixes: tuple[bytes, ...], keys: Sequence[bytes], found: Sequence[Record | None]) -> list[Record | None]:
    """What was found of the keys that may be read."""
    return [record if key.startswith(prefixes) else None for key, record in zip(keys, found, strict=True)]


def restricted(prefixes: tuple[bytes, ...], interest: Interest) -> Interest:
    """The interest in those of the keys that may be read."""
    keys = None if interest.keys is None else frozenset(key for key in interest.keys if key.startswith(prefixes))
    if interest.keys is not None and interest.prefix is None:
        return Interest(keys)
    first, *others = within(prefixes, interest.prefix or b"") or (None,)
    if first is None:
        return Interest(keys or frozenset())
    return Interest(keys, first, tuple(others))
