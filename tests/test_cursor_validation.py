"""Cursors that the table cannot know yet are validated by a metadata refresh that began after the client came."""

import asyncio

import pytest

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.errors import Unavailable
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.records import EpochEnd, Positions
from kvs_graphql.state import MetadataRefreshes, TopicSnapshot

OURS, OTHER, NEXT = (bytes([number]) * 16 for number in (1, 2, 3))


class Table:
    """A table's feed, and metadata refreshes."""

    def __init__(self, topic_id: bytes = OURS, positions: Positions = (5,)) -> None:
        self.feed = Feed(Cursor(topic_id, positions), LogBudget(changes_max=1, bytes_max=1))
        self.refreshes = MetadataRefreshes()
        self.validator = CursorValidator(self.feed, self.refreshes)

    def refresh(self, topic_id: bytes, end: Positions = (5,)) -> None:
        self.refreshes.end(self.refreshes.begin(), TopicSnapshot(topic_id, end))

    def validating(self, topic_id: bytes) -> "asyncio.Task[bool]":
        return asyncio.create_task(self.validator.is_this_topic(topic_id))


async def turns() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_cursor_of_this_topic_needs_no_refresh() -> None:
    assert await Table().validator.is_this_topic(OURS)


async def test_cursor_of_another_topic_is_refused_after_a_later_refresh() -> None:
    table = Table()
    table.refresh(OURS)
    under_way = table.refreshes.begin()
    validating = table.validating(OTHER)
    await turns()
    table.refreshes.end(under_way, TopicSnapshot(OURS, (5,)))
    await turns()
    assert not validating.done()
    table.refresh(OURS)
    assert not await validating


async def test_cursor_of_the_tables_own_epoch_is_not_asked_about() -> None:
    table = Table()
    table.feed.reset(Cursor(OURS, (5,), (), (3,)))
    assert not await table.validator.was_cut(Cursor(OURS, (4,), (), (3,)))
    assert not await table.validator.was_cut(Cursor(OURS, (4,)))
    assert not await table.validator.was_cut(Cursor(OURS, (0,), (), (2,)))
    assert not table.refreshes.epoch_ends.open


@pytest.mark.parametrize(
    ("end", "cut"), [(EpochEnd(2, 4), False), (EpochEnd(2, 3), True), (EpochEnd(1, 9), True), (None, False)]
)
async def test_brokers_are_asked_about_a_cursor_of_another_epoch(end: EpochEnd | None, cut: bool) -> None:
    table = Table()
    table.feed.reset(Cursor(OURS, (5,), (), (3,)))
    validating = asyncio.create_task(table.validator.was_cut(Cursor(OURS, (1,), (4,), (2,))))
    await turns()
    assert list(table.refreshes.epoch_ends.open) == [(0, 2)]
    assert not validating.done()
    table.refreshes.epoch_ends.answer({(0, 2): end})
    assert await validating is cut
    assert not table.refreshes.epoch_ends.open


async def test_answer_from_before_the_log_grew_refutes_no_cursor() -> None:
    table = Table()
    table.feed.reset(Cursor(OURS, (5,), (), (1,)))
    ends = table.refreshes.epoch_ends
    ends.answer({(0, 2): EpochEnd(2, 7), (0, 1): EpochEnd(1, 5)})
    validating = asyncio.create_task(table.validator.was_cut(Cursor(OURS, (8,), (), (2,))))
    await turns()
    ends.answer({(0, 2): EpochEnd(2, 8)})
    await turns()
    ends.answer({(0, 1): EpochEnd(1, 5)})
    assert not await validating


async def test_cursor_of_the_log_that_replaced_the_tables_own_waits_for_the_rebuild() -> None:
    table = Table()
    table.feed.reset(Cursor(OURS, (5,), (), (1,)))
    ends = table.refreshes.epoch_ends
    ends.answer({(0, 1): EpochEnd(1, 5)})
    validating = asyncio.create_task(table.validator.was_cut(Cursor(OURS, (4,), (), (2,))))
    await turns()
    ends.answer({(0, 2): EpochEnd(2, 9)})
    await turns()
    assert list(ends.open) == [(0, 1)], "an answer from before the cut counts no more"
    ends.answer({(0, 1): EpochEnd(1, 3)})
    await turns()
    assert not validating.done(), "the table has records that the client's log lacks"
    table.feed.reset(Cursor(OURS, (9,), (), (2,)))
    assert not await validating


async def test_cursor_ahead_of_a_table_of_the_same_log_waits_for_nothing() -> None:
    table = Table()
    table.feed.reset(Cursor(OURS, (5,), (), (1,)))
    validating = asyncio.create_task(table.validator.was_cut(Cursor(OURS, (8,), (), (2,))))
    await turns()
    table.refreshes.epoch_ends.answer({(0, 2): EpochEnd(2, 9)})
    await turns()
    table.refreshes.epoch_ends.answer({(0, 1): EpochEnd(1, 5)})
    assert not await validating


async def test_cursor_of_a_recreated_topic_waits_for_the_rebuild() -> None:
    table = Table()
    validating = table.validating(NEXT)
    await turns()
    table.refresh(NEXT)
    await turns()
    assert not validating.done()
    # A session that ended during the rebuild resets the feed, too.
    table.feed.reset(Cursor(OURS, (5,)))
    await turns()
    assert not validating.done()
    table.feed.reset(Cursor(NEXT, (1,)))
    assert await validating


async def test_cursor_of_neither_the_old_nor_the_new_topic_is_refused_at_once() -> None:
    table = Table()
    validating = table.validating(OTHER)
    await turns()
    table.refresh(NEXT)
    assert not await validating


async def test_table_without_a_topic_may_become_that_of_the_cursor() -> None:
    table = Table(NO_TOPIC_ID, ())
    validating = table.validating(NEXT)
    await turns()
    table.refresh(NEXT)
    await turns()
    assert not validating.done()
    table.feed.reset(Cursor(NEXT, (0,)))
    assert await validating


@pytest.mark.parametrize(("table_id", "asked_id"), [(NO_TOPIC_ID, NEXT), (OURS, NO_TOPIC_ID)])
async def test_no_rebuild_is_awaited_where_a_topic_has_no_id(table_id: bytes, asked_id: bytes) -> None:
    table = Table(table_id)
    validating = table.validating(asked_id)
    await turns()
    table.refresh(asked_id)
    assert not await validating


@pytest.mark.parametrize("refreshed", [False, True])
async def test_stopping_service_ends_every_validation(refreshed: bool) -> None:
    table = Table()
    validating = table.validating(NEXT)
    await turns()
    if refreshed:
        table.refresh(NEXT)
        await turns()
    table.feed.close()
    with pytest.raises(Unavailable):
        await validating


async def test_positions_in_a_topic_since_replaced_are_not_refuted() -> None:
    table = Table()
    validating = asyncio.create_task(table.validator.is_applied(Cursor(OURS, (9,))))
    await turns()
    table.refresh(NEXT, (1,))
    await turns()
    assert not validating.done()
    table.refresh(OURS, (8,))
    assert not await validating


async def test_cursor_ahead_is_of_another_log_if_the_log_is_cut_short_before_the_table_is_there() -> None:
    table = Table()
    table.feed.reset(Cursor(OURS, (5,), (), (1,)))
    validating = asyncio.create_task(table.validator.is_applied(Cursor(OURS, (8,), (), (1,))))
    await turns()
    assert not table.refreshes.epoch_ends.open, "the table's own epoch"
    table.refresh(OURS, (20,))
    table.feed.reset(Cursor(OURS, (20,), (), (2,)))
    await turns()
    table.refreshes.epoch_ends.answer({(0, 1): EpochEnd(1, 6)})
    assert not await validating


async def test_cursor_ahead_is_applied_once_the_table_has_reached_it_in_the_same_epoch() -> None:
    table = Table()
    table.feed.reset(Cursor(OURS, (5,), (), (1,)))
    validating = asyncio.create_task(table.validator.is_applied(Cursor(OURS, (7,), (8,), (1,))))
    await turns()
    table.feed.reset(Cursor(OURS, (7,), (), (1,)))
    await turns()
    assert not validating.done()
    table.feed.reset(Cursor(OURS, (8,), (), (1,)))
    assert await validating
    assert not table.refreshes.epoch_ends.open
