"""Places that a client names and this table does not know: nothing is decided by what was known before it came."""

import asyncio

import pytest

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.errors import Unavailable
from kvs_graphql.feed import Feed
from kvs_graphql.records import Positions
from kvs_graphql.state import MetadataRefreshes, TopicSnapshot

OURS, OTHER, NEXT = (bytes([number]) * 16 for number in (1, 2, 3))


class Table:
    """A table's feed, and looks at Kafka."""

    def __init__(self, topic_id: bytes = OURS, positions: Positions = (5,)) -> None:
        self.feed = Feed(Cursor(topic_id, positions), changes_max=1, bytes_max=1)
        self.refreshes = MetadataRefreshes()
        self.validator = CursorValidator(self.feed, self.refreshes)

    def look(self, topic_id: bytes, end: Positions = (5,)) -> None:
        self.refreshes.end(self.refreshes.begin(), TopicSnapshot(topic_id, end))

    def asked(self, topic_id: bytes) -> "asyncio.Task[bool]":
        return asyncio.create_task(self.validator.is_this_topic(topic_id))


async def turns() -> None:
    """Let every task do all that it can without news."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_cursor_of_this_topic_needs_no_look() -> None:
    assert await Table().validator.is_this_topic(OURS)


async def test_a_cursor_of_another_topic_is_refused_after_a_look_that_began_later() -> None:
    table = Table()
    table.look(OURS)
    under_way = table.refreshes.begin()
    asked = table.asked(OTHER)
    await turns()
    table.refreshes.end(under_way, TopicSnapshot(OURS, (5,)))
    await turns()
    assert not asked.done()
    table.look(OURS)
    assert not await asked


async def test_a_topic_created_again_that_another_replica_saw_first_is_waited_for() -> None:
    table = Table()
    asked = table.asked(NEXT)
    await turns()
    table.look(NEXT)
    await turns()
    assert not asked.done()
    # The session was cut off while the table was built again.
    table.feed.reset(Cursor(OURS, (5,)))
    await turns()
    assert not asked.done()
    table.feed.reset(Cursor(NEXT, (1,)))
    assert await asked


async def test_a_cursor_of_neither_the_old_nor_the_new_topic_is_not_waited_with() -> None:
    table = Table()
    asked = table.asked(OTHER)
    await turns()
    table.look(NEXT)
    assert not await asked


async def test_a_table_that_is_not_begun_yet_may_become_one_of_that_topic() -> None:
    table = Table(NO_TOPIC_ID, ())
    asked = table.asked(NEXT)
    await turns()
    table.look(NEXT)
    await turns()
    assert not asked.done()
    table.feed.reset(Cursor(NEXT, (0,)))
    assert await asked


@pytest.mark.parametrize(("table_id", "asked_id"), [(NO_TOPIC_ID, NEXT), (OURS, NO_TOPIC_ID)])
async def test_a_table_without_an_id_or_of_a_broker_that_gives_none_is_not_waited_for(
    table_id: bytes, asked_id: bytes
) -> None:
    table = Table(table_id)
    asked = table.asked(asked_id)
    await turns()
    table.look(asked_id)
    assert not await asked


@pytest.mark.parametrize("looked", [False, True])
async def test_a_service_that_stops_lets_nobody_wait(looked: bool) -> None:
    table = Table()
    asked = table.asked(NEXT)
    await turns()
    if looked:
        table.look(NEXT)
        await turns()
    table.feed.close()
    with pytest.raises(Unavailable):
        await asked


async def test_of_a_place_in_a_topic_that_is_another_by_now_nothing_is_held_against_anybody() -> None:
    table = Table()
    validation = table.validator.validation_of((9,))
    assert validation is not None
    table.look(NEXT, (1,))
    assert validation.result()
    table.look(OURS, (8,))
    assert validation.result() is False
