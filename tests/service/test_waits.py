"""Reads that wait for a cursor: as long as they must, and no longer than they may."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor, decode_cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.errors import BadCursor, NotCaughtUp
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.records import Commit, EpochEnd, Positions
from kvs_graphql.service.waits import AtLeast
from kvs_graphql.state import Lifecycle, TopicSnapshot
from tests.deadline import SECONDS_MAX
from tests.passes import Passes
from tests.serving import ServedTopic, serving_topic
from tests.simulation.world import everything_possible, in_virtual_time

ENDS_PER_ROUND = 8
TOPIC_ID, OTHER_TOPIC_ID = bytes(range(16)), bytes(reversed(range(16)))
READ = 'query($c: Cursor, $w: Float) { value(key: "key", atLeast: $c, maxWait: $w) { value } }'
FIELDS = {
    "value": 'value(key: "key", atLeast: $c, maxWait: $w) { offset }',
    "values": 'values(keys: ["key"], atLeast: $c, maxWait: $w) { offset }',
    "entries": "entries(first: 1, atLeast: $c, maxWait: $w) { edges { cursor } }",
}


class Table:
    """A table of two partitions at positions (5, 5), and the readers that wait for it."""

    def __init__(self) -> None:
        self.feed = Feed(Cursor(TOPIC_ID, (5, 5)), LogBudget(changes_max=1, bytes_max=1))
        self.lifecycle = Lifecycle()
        self.at_least = AtLeast(self.feed, CursorValidator(self.feed, self.lifecycle.refreshes), self.lifecycle)

    async def seconds_of_wait(self, seconds_max: float, *wanted: Cursor) -> float:
        """Wait for cursors; return how long that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self.at_least.wait(wanted, seconds_max)
        return loop.time() - began

    def move(self, positions: Positions) -> None:
        self.feed.publish(Commit(self.feed.positions, positions, [], 0))


@in_virtual_time
async def test_applied_cursor_is_not_waited_for() -> None:
    assert await Table().seconds_of_wait(60, Cursor(TOPIC_ID, (5,)), Cursor(TOPIC_ID, ())) == 0


@in_virtual_time
async def test_wait_ends_as_soon_as_the_last_cursor_is_applied() -> None:
    table = Table()
    waiting = asyncio.create_task(table.seconds_of_wait(60, Cursor(TOPIC_ID, (7, 0)), Cursor(TOPIC_ID, (0, 8))))
    for positions in ((7, 5), (7, 7)):
        await everything_possible()
        table.move(positions)
        await everything_possible()
        assert not waiting.done()
    table.move((7, 8))
    assert await waiting < 1


@pytest.mark.parametrize("seconds_max", [0, 0.2, 60])
@in_virtual_time
async def test_wait_for_an_unreached_cursor_ends_at_its_time_limit(seconds_max: float) -> None:
    assert await Table().seconds_of_wait(seconds_max, Cursor(TOPIC_ID, (6,))) == pytest.approx(seconds_max)


@in_virtual_time
async def test_cursor_of_another_topic_ends_the_wait_with_the_next_metadata_refresh() -> None:
    table = Table()
    wanted = Cursor(OTHER_TOPIC_ID, (1,))
    waiting = asyncio.create_task(table.at_least.wait([wanted], 60))
    await everything_possible()
    refreshes = table.lifecycle.refreshes
    refreshes.end(refreshes.begin(), TopicSnapshot(TOPIC_ID, (5, 5)))
    foreign = await waiting
    assert isinstance(table.at_least.failure(wanted, Cursor(TOPIC_ID, (5, 5)), foreign), BadCursor)
    assert asyncio.get_running_loop().time() < 1


@in_virtual_time
async def test_log_that_is_cut_short_before_the_table_has_reached_a_cursor_ends_the_wait() -> None:
    table = Table()
    table.feed.reset(Cursor(TOPIC_ID, (5, 5), (), (1, 1)))
    wanted = Cursor(TOPIC_ID, (5, 8), (), (1, 1))
    waiting = asyncio.create_task(table.at_least.wait([wanted], 60))
    await everything_possible()
    table.feed.reset(Cursor(TOPIC_ID, (5, 9), (), (1, 2)))
    await everything_possible()
    table.lifecycle.refreshes.epoch_ends.answer({(1, 1): EpochEnd(1, 6)})
    foreign = await waiting
    assert isinstance(table.at_least.failure(wanted, table.feed.cursor, foreign), BadCursor)


@in_virtual_time
async def test_reads_whose_wait_ends_at_the_same_moment_go_on_a_few_in_each_round() -> None:
    table, ended = Table(), list[int]()

    async def wait() -> None:
        await table.at_least.wait([Cursor(TOPIC_ID, (6,))], 60)
        ended.append(passes.number)

    waiting = [asyncio.create_task(wait()) for _ in range(100)]
    await everything_possible()
    passes = Passes()
    table.move((6, 5))
    await asyncio.gather(*waiting)
    passes.close()
    assert max(Counter(ended).values()) == ENDS_PER_ROUND


@in_virtual_time
async def test_failure_says_how_far_the_table_is_behind() -> None:
    at_least = Table().at_least
    reached = Cursor(TOPIC_ID, (5, 5))
    assert at_least.failure(Cursor(TOPIC_ID, (5, 4)), reached, set()) is None
    failure = at_least.failure(Cursor(TOPIC_ID, (7, 4, 3)), reached, set())
    assert isinstance(failure, NotCaughtUp)
    assert failure.details["behind"] == 2 + 3
    # Of another topic, this table has applied nothing.
    failure = at_least.failure(Cursor(OTHER_TOPIC_ID, (7, 4)), reached, set())
    assert isinstance(failure, NotCaughtUp)
    assert failure.details["behind"] == 7 + 4


@in_virtual_time
async def test_written_cursor_is_waited_for_until_it_is_applied_or_time_is_up() -> None:
    table = Table()
    waiting = asyncio.create_task(table.at_least.applied(Cursor(TOPIC_ID, (7,)), 60))
    await everything_possible()
    assert not waiting.done()
    table.move((7, 5))
    await waiting
    with pytest.raises(NotCaughtUp):
        await table.at_least.applied(Cursor(TOPIC_ID, (8,)), 0.2)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory, table: str
) -> AsyncIterator[ServedTopic]:
    directory = tmp_path_factory.mktemp("waits")
    settings: dict[str, Any] = {"wait_seconds_max": 60, "metadata_refresh_seconds": 0.2}
    async with serving_topic(embedded_broker, directory, (b"key", b"0"), table=table, **settings) as topic:
        yield topic


@pytest.mark.asyncio(loop_scope="module")
class TestOverGraphQL:
    async def test_read_at_a_cursor_waits_until_it_is_applied(self, topic: ServedTopic) -> None:
        reading = asyncio.create_task(topic.served.data(READ, c=_ahead(topic, 2)))
        await topic.write((b"key", b"first"))
        assert not reading.done()
        await topic.write((b"key", b"second"))
        assert await reading == {"value": {"value": "second"}}

    async def test_read_at_an_applied_cursor_is_answered_without_waiting(self, topic: ServedTopic) -> None:
        cursor = (await topic.served.query("{ status { cursor } }"))["extensions"]["cursor"]
        async with asyncio.timeout(SECONDS_MAX):
            assert (await topic.served.data(READ, c=cursor))["value"] is not None

    async def test_read_that_is_not_caught_up_says_how_far_the_table_is_and_why(self, topic: ServedTopic) -> None:
        answer = await topic.served.query(READ, c=_ahead(topic), w=0.1)
        (error,) = answer["errors"]
        assert answer["data"] == {"value": None}
        at_end = topic.at_end
        assert decode_cursor(error["extensions"].pop("reached"), topic.served.table) == Cursor(
            at_end.topic_id, at_end.positions, (), at_end.epochs, at_end.table
        )
        reason = f"following topic '{topic.name}'"
        assert error["extensions"] == {"code": "NOT_CAUGHT_UP", "behind": 1, "state": "LIVE", "reason": reason}

    async def test_field_that_need_not_wait_is_answered_beside_one_that_is_not_caught_up(
        self, topic: ServedTopic
    ) -> None:
        document = f'query($c: Cursor!) {{ now: value(key: "key") {{ size }} {FIELDS["value"].replace("$w", "0.1")} }}'
        answer = await topic.served.query(document, c=_ahead(topic))
        assert answer["data"]["now"]["size"] > 0
        assert answer["data"]["value"] is None
        assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
            (["value"], "NOT_CAUGHT_UP")
        ]

    @pytest.mark.parametrize("field", FIELDS)
    @pytest.mark.parametrize(
        ("cursor", "seconds", "code"),
        [
            ("garbled", None, "BAD_CURSOR"),
            ("", None, "BAD_CURSOR"),
            (Cursor(NO_TOPIC_ID, (1,)), None, "BAD_CURSOR"),
            (Cursor(bytes(range(16)), (1,)), None, "BAD_CURSOR"),
            (Cursor(bytes(range(16)), (1,)), 0.0, "NOT_CAUGHT_UP"),
            (None, -0.1, "BAD_INPUT"),
        ],
    )
    async def test_invalid_cursor_or_wait_is_refused_with_a_code(
        self, topic: ServedTopic, field: str, cursor: Cursor | str | None, seconds: float | None, code: str
    ) -> None:
        if isinstance(cursor, Cursor):
            cursor = cursor._replace(table=topic.served.table).encode()
        document = f"query($c: Cursor, $w: Float) {{ {FIELDS[field]} }}"
        assert await topic.served.code(document, c=cursor, w=seconds) == code

    @pytest.mark.parametrize("literal", ["5", "true", "[1]"])
    async def test_cursor_that_is_no_string_is_refused_by_validation(self, topic: ServedTopic, literal: str) -> None:
        document = f'{{ value(key: "key", atLeast: {literal}) {{ size }} }}'
        assert await topic.served.code(document) == "GRAPHQL_VALIDATION_FAILED"


def _ahead(topic: ServedTopic, records: int = 1) -> str:
    """Return the cursor after so many more records."""
    (position,) = topic.at_end.positions
    return topic.at_end._replace(positions=(position + records,)).encode()
