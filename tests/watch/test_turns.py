"""However many watches begin at once, each round of the event loop has a few of their turns."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from kvs_graphql.feed import Kind
from kvs_graphql.records import Interest
from kvs_graphql.watch import Start
from kvs_graphql.watch.quotas import TURNS_PER_ROUND
from tests.simulation.world import in_virtual_time
from tests.watch.table import LIMITS, open_table

_CLIENTS = 200


@pytest.mark.parametrize("reads_max", [1, _CLIENTS])
@in_virtual_time
async def test_snapshots_of_keys_that_begin_at_once_hold_up_no_round(tmp_path: Path, reads_max: int) -> None:
    """A key's value and LIVE are two updates."""
    in_this_round, most = 0, 0

    async with open_table(tmp_path, limits=replace(LIMITS, page_max=100, reads_max=reads_max)) as table:
        await table.change(*((b"key-%d" % number, b"1") for number in range(_CLIENTS)))

        async def snapshot(key: bytes) -> None:
            nonlocal in_this_round
            async with aclosing(table.new_watch(Interest(frozenset((key,)))).updates(Start(snapshot=True))) as pages:
                async for page in pages:
                    for update in page:
                        in_this_round += 1
                        if update.kind is Kind.LIVE:
                            return

        async def count_rounds() -> None:
            nonlocal in_this_round, most
            while True:
                most, in_this_round = max(most, in_this_round), 0
                await asyncio.sleep(0)

        counting = asyncio.create_task(count_rounds())
        async with asyncio.TaskGroup() as tasks:
            for number in range(_CLIENTS):
                tasks.create_task(snapshot(b"key-%d" % number))
        counting.cancel()
    assert 0 < most <= 2 * TURNS_PER_ROUND
