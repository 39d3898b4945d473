"""Cursors that a table can no longer follow get RESET, whatever would serve them."""

from pathlib import Path

import pytest

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.feed import Kind
from kvs_graphql.store import Coverage
from kvs_graphql.watch import WatchState
from kvs_graphql.watch.resume import way_from_table
from tests.simulation.world import in_virtual_time
from tests.watch.table import open_table
from tests.watch.test_watch import until_live

RECORDS = [(b"%d" % n, b"1") for n in range(7)]
KNOWN_FROM = 6


@pytest.mark.parametrize("changes_max", [10_000, 1], ids=["in the feed's log", "in the file only"])
@pytest.mark.parametrize(("offset", "resets"), [(0, False), (1, True), (KNOWN_FROM - 1, True), (KNOWN_FROM, False)])
@in_virtual_time
async def test_cursor_from_before_the_deletes_that_a_first_read_knows_is_reset(
    tmp_path: Path, changes_max: int, offset: int, resets: bool
) -> None:
    async with open_table(tmp_path, changes_max=changes_max, deletes_known_from=KNOWN_FROM) as table:
        await table.change(*RECORDS)
        async with table.watching(Cursor(NO_TOPIC_ID, (offset,))) as updates:
            received = await until_live(updates)
    assert (received[0] == (Kind.RESET, None)) is resets
    assert len(received) == (len(RECORDS) + 2 if resets else len(RECORDS) - offset + 1)


@in_virtual_time
async def test_watch_from_now_on_needs_no_past(tmp_path: Path) -> None:
    async with open_table(tmp_path, deletes_known_from=KNOWN_FROM) as table:
        await table.change(*RECORDS[:3])
        async with table.watching_from_now_on() as updates:
            assert await until_live(updates) == [(Kind.LIVE, None)]


@pytest.mark.parametrize(
    ("seen", "way"),
    [
        ((9, 9), WatchState.REPLAYING),
        ((7, 9), WatchState.CONFLATING),
        ((0, 9), WatchState.CONFLATING),
        ((4, 9), WatchState.RESETTING),
        ((9,), WatchState.CONFLATING),
        ((), WatchState.CONFLATING),
        ((9, 1), WatchState.RESETTING),
    ],
)
def test_way_from_a_cursor_depends_on_what_the_table_holds(seen: tuple[int, ...], way: WatchState) -> None:
    known = Coverage(positions=(9, 9), window_start=(8, 5), deletes_known_from=(5, 2), indexed=True)
    assert way_from_table(seen, known) is way
