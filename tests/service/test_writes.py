"""The order, the cursors and the errors of writes, over a real table and a producer that the test answers for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.errors import KafkaUnavailable, ValueTooLarge, WriteOutcomeUnknown
from kvs_graphql.feed import Feed
from kvs_graphql.records import Batch, Outgoing, Record, Written
from kvs_graphql.service import Writes
from kvs_graphql.store import Store, WindowLimits, open_store

TOPIC_ID = bytes(range(16))
OTHER_TOPIC_ID = bytes(16 * [7])
OWN = 1


@dataclass
class Kafka:
    """Takes writes, and answers them as the test says."""

    taken: list[tuple[Outgoing, asyncio.Future[Written]]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def partition_of(self, _: bytes) -> int:
        return OWN

    def send(self, writes: Sequence[Outgoing]) -> list[asyncio.Future[Written]]:
        loop = asyncio.get_running_loop()
        answers = [loop.create_future() for _ in writes]
        self.taken += zip(writes, answers, strict=True)
        self.came.set()
        return answers

    def answer(self, partition: int, offset: int) -> None:
        for write, answer in self.taken:
            if write.partition == partition and not answer.done():
                answer.set_result(Written(partition, offset, write.timestamp_ms))

    def fail(self, partition: int, error: Exception) -> None:
        for write, answer in self.taken:
            if write.partition == partition and not answer.done():
                answer.set_exception(error)


@dataclass(frozen=True)
class Bench:
    """The writes of one request."""

    kafka: Kafka
    store: Store
    feed: Feed
    writes: Writes


@asynccontextmanager
async def bench(directory: Path, *runs: list[Record], begun: bool = True) -> AsyncIterator[Bench]:
    """A table of three partitions, each at position 10, that holds these records."""
    window = WindowLimits(changes_max=100, bytes_max=10_000, deletes_max=100)
    async with open_store(directory / "kvs.db", window, readers=1) as store:
        if begun:
            await store.begin("topic", TOPIC_ID, (0, 0, 0))
            await store.apply(Batch(tuple(runs), (10, 10, 10), 0, 0))
        cursor = Cursor(TOPIC_ID if begun else NO_TOPIC_ID, store.positions)
        feed = Feed(cursor, changes_max=10, bytes_max=1_000)
        kafka = Kafka()
        yield Bench(kafka, store, feed, Writes(kafka, store, feed, value_bytes_max=1))


def record(partition: int, value: bytes | None) -> Record:
    return Record(b"key", value, partition, 5, 1_000 + partition, None)


async def test_a_writes_cursor_is_the_place_from_before_and_its_own_offset(tmp_path: Path) -> None:
    async with bench(tmp_path) as found:
        writing = asyncio.create_task(found.writes.set(b"key", b"1"))
        await found.kafka.came.wait()
        found.feed.reset(Cursor(TOPIC_ID, (50, 50, 50)))
        found.kafka.answer(OWN, 41)
        assert (await writing).cursor == Cursor(TOPIC_ID, (10, 42, 10))


@pytest.mark.parametrize("begun", [True, False])
async def test_where_the_table_became_another_topics_everything_comes_after_the_write(
    tmp_path: Path, begun: bool
) -> None:
    async with bench(tmp_path, begun=begun) as found:
        writing = asyncio.create_task(found.writes.set(b"key", b"1"))
        await found.kafka.came.wait()
        found.feed.reset(Cursor(OTHER_TOPIC_ID, (7, 7, 7)))
        found.kafka.answer(OWN, 3)
        assert (await writing).cursor == Cursor(OTHER_TOPIC_ID, (0, 4))


async def test_a_delete_goes_where_the_key_has_a_value_and_to_its_own_partition(tmp_path: Path) -> None:
    async with bench(tmp_path, [record(0, b"0")], [record(2, None)]) as found:
        deleting = asyncio.create_task(found.writes.delete(b"key"))
        await found.kafka.came.wait()
        (own, _), (other, _) = found.kafka.taken
        assert [(write.partition, write.value) for write in (own, other)] == [(OWN, None), (0, None)]
        assert other.timestamp_ms < own.timestamp_ms
        found.kafka.answer(0, 20)
        found.kafka.answer(OWN, 30)
        written = await deleting
        assert written.written.partition == OWN
        assert written.cursor == Cursor(TOPIC_ID, (21, 31, 10))


async def test_a_delete_that_came_through_in_part_is_unknown(tmp_path: Path) -> None:
    async with bench(tmp_path, [record(0, b"0")]) as found:
        deleting = asyncio.create_task(found.writes.delete(b"key"))
        await found.kafka.came.wait()
        found.kafka.answer(OWN, 30)
        found.kafka.fail(0, KafkaUnavailable("away", reason="away"))
        with pytest.raises(WriteOutcomeUnknown, match="not all") as caught:
            await deleting
        assert caught.value.details == {"reason": "away", "cursor": Cursor(TOPIC_ID, (10, 10, 10)).encode()}


async def test_a_delete_that_came_through_nowhere_has_its_own_error(tmp_path: Path) -> None:
    async with bench(tmp_path, [record(0, b"0")]) as found:
        deleting = asyncio.create_task(found.writes.delete(b"key"))
        await found.kafka.came.wait()
        for partition in (0, OWN):
            found.kafka.fail(partition, KafkaUnavailable("away"))
        with pytest.raises(KafkaUnavailable):
            await deleting


async def test_a_set_behind_a_delete_waits_until_that_is_on_its_way(tmp_path: Path) -> None:
    async with bench(tmp_path, [record(0, b"0")]) as found:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(found.writes.delete(b"key"))
            tasks.create_task(found.writes.set(b"key", b"1"))
            while len(found.kafka.taken) < 3:
                await found.kafka.came.wait()
                found.kafka.came.clear()
            for partition in (0, OWN):
                found.kafka.answer(partition, 30)
        assert [write.value for write, _ in found.kafka.taken] == [None, None, b"1"]


async def test_an_unknown_write_carries_the_place_from_before(tmp_path: Path) -> None:
    async with bench(tmp_path) as found:
        writing = asyncio.create_task(found.writes.set(b"key", b"1"))
        await found.kafka.came.wait()
        found.kafka.fail(OWN, WriteOutcomeUnknown("silence", reason="silence"))
        with pytest.raises(WriteOutcomeUnknown) as caught:
            await writing
        assert caught.value.details == {"reason": "silence", "cursor": Cursor(TOPIC_ID, (10, 10, 10)).encode()}


async def test_a_cancelled_write_cancels_what_it_waits_for(tmp_path: Path) -> None:
    async with bench(tmp_path) as found:
        writing = asyncio.create_task(found.writes.set(b"key", b"1"))
        await found.kafka.came.wait()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert found.kafka.taken[0][1].cancelled()


async def test_a_value_has_the_bytes_that_are_allowed_and_headers_count(tmp_path: Path) -> None:
    async with bench(tmp_path) as found:
        for value, headers in ((b"22", ()), (b"", (("h", b""),))):
            with pytest.raises(ValueTooLarge):
                await found.writes.set(b"key", value, headers)
        assert found.kafka.taken == []
