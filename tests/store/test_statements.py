"""Statements keep little of what was bound to them, however many there were and however large it was."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.process_stats import rss_bytes
from kvs_graphql.records import Interest
from kvs_graphql.store import (
    Query,
    Store,
    WindowLimits,
    changes_after,
    get_many,
    history,
    keys_by_partition,
    log_order,
    open_store,
)
from kvs_graphql.store.statements import BYTES_PER_STATEMENT, KEYS_PER_STATEMENT, chunks
from tests.store.batches import TOPIC_ID, batch, enough, record

MIB = 1024**2
KEY_BYTES = 64 * 1024
ALL = {"limit": 1_000, "bytes_max": MIB, "rows_max": 1_000}


@pytest.mark.parametrize(
    ("lengths", "numbers"),
    [
        ([], []),
        ([KEY_BYTES], [1]),
        ([2 * BYTES_PER_STATEMENT, 1, 1], [1, 2]),
        ([1] * KEYS_PER_STATEMENT, [KEYS_PER_STATEMENT]),
        ([1] * (KEYS_PER_STATEMENT + 1), [KEYS_PER_STATEMENT, 1]),
        ([BYTES_PER_STATEMENT // 4] * 5, [2, 3]),
        ([BYTES_PER_STATEMENT] * 3, [1, 1, 1]),
    ],
)
def test_keys_are_split_by_number_and_bytes(lengths: list[int], numbers: list[int]) -> None:
    keys = [bytes(length) for length in lengths]
    found = list(chunks(keys))
    assert [len(chunk) for chunk in found] == numbers
    assert [key for chunk in found for key in chunk] == keys


@pytest.mark.parametrize(
    "select",
    [
        lambda keys: get_many(keys, enough()),
        lambda keys: history(keys, (), 1, enough()),
        keys_by_partition,
        lambda keys: changes_after(Interest(keys=frozenset(keys)), (), 0, **ALL),
        lambda keys: log_order(Interest(keys=frozenset(keys)), 0, 0, 1_000, deletes=True, **ALL),
    ],
    ids=["get_many", "history", "keys_by_partition", "changes_after", "log_order"],
)
async def test_reads_of_many_long_keys_keep_no_copy_of_them(
    store: Store, select: Callable[[Sequence[bytes]], Query[Any]]
) -> None:
    await store.apply(batch(record(b"a", b"1", 0)))
    keys = [b"%0*d" % (KEY_BYTES, number) for number in range(100)]
    await store.read(select(keys))
    before = rss_bytes(os.getpid())
    for number in range(1, len(keys)):
        await store.read(select(keys[:number]))
    assert rss_bytes(os.getpid()) - before < 64 * MIB, "together they had 300 MiB"


async def test_batches_of_large_records_keep_no_copy_of_them(tmp_path: Path) -> None:
    value = bytes(MIB)
    async with open_store(tmp_path / "kvs.db", WindowLimits(10, 1, 10), readers=1) as store:
        await store.begin("topic", TOPIC_ID, (0,))
        offset = 0
        for number in [*range(1, 30), 1]:
            records = [record(b"a", value, offset + n) for n in range(number)]
            if number == 2:
                before = rss_bytes(os.getpid())
            await store.apply(batch(*records))
            offset += number
    assert rss_bytes(os.getpid()) - before < 200 * MIB, "together they had 400 MiB"
