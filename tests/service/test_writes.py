"""The order, the cursors and the errors of writes, over a real table and a producer controlled by the test."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.errors import KafkaUnavailable, ValueTooLarge, WriteOutcomeUnknown
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.records import Batch, Outgoing, Record, Written
from kvs_graphql.service import Writes
from kvs_graphql.service.writes import WriteRights
from kvs_graphql.store import Store, WindowLimits, open_store

TOPIC_ID = bytes(range(16))
OTHER_TOPIC_ID = bytes(16 * [7])
OWN = 1


@dataclass
class Kafka:
    """A producer that answers as the test says."""

    sent: list[tuple[Outgoing, asyncio.Future[Written]]] = field(default_factory=list)
    received: asyncio.Event = field(default_factory=asyncio.Event)

    def partition_of(self, _: bytes) -> int:
        return OWN

    def send(self, writes: Sequence[Outgoing]) -> list[asyncio.Future[Written]]:
        loop = asyncio.get_running_loop()
        answers = [loop.create_future() for _ in writes]
        self.sent += zip(writes, answers, strict=True)
        self.received.set()
        return answers

    def answer(self, partition: int, offset: int) -> None:
        for write, answer in self.sent:
            if write.partition == partition and not answer.done():
                answer.set_result(Written(partition, offset, write.timestamp_ms))

    def fail(self, partition: int, error: Exception) -> None:
        for write, answer in self.sent:
            if write.partition == partition and not answer.done():
                answer.set_exception(error)


@dataclass(frozen=True)
class OpenWrites:
    """The writes of one request."""

    kafka: Kafka
    store: Store
    feed: Feed
    writes: Writes


@asynccontextmanager
async def open_writes(
    directory: Path, *runs: list[Record], begun: bool = True, readable: tuple[bytes, ...] = (b"",)
) -> AsyncIterator[OpenWrites]:
    """Open a table of three partitions with these records, each at position 10."""
    window = WindowLimits(changes_max=100, bytes_max=10_000, deletes_max=100)
    async with open_store(directory / "kvs.db", window, readers=1) as store:
        if begun:
            await store.begin("topic", TOPIC_ID, (0, 0, 0))
            await store.apply(Batch(tuple(runs), (10, 10, 10), 0, 0))
        cursor = Cursor(TOPIC_ID if begun else NO_TOPIC_ID, store.positions)
        feed = Feed(cursor, LogBudget(changes_max=10, bytes_max=1_000))
        kafka = Kafka()
        rights = WriteRights((b"",), readable, lambda: None)
        yield OpenWrites(kafka, store, feed, Writes(kafka, store, feed, value_bytes_max=1, rights=rights))


def record(partition: int, value: bytes | None) -> Record:
    return Record(b"key", value, partition, 5, 1_000 + partition, None)


async def test_cursor_of_a_write_is_the_one_before_and_its_own_offset(tmp_path: Path) -> None:
    async with open_writes(tmp_path) as opened:
        writing = asyncio.create_task(opened.writes.set(b"key", b"1"))
        await opened.kafka.received.wait()
        opened.feed.reset(Cursor(TOPIC_ID, (50, 50, 50)))
        opened.kafka.answer(OWN, 41)
        assert (await writing).cursor == Cursor(TOPIC_ID, (10, 42, 10))


@pytest.mark.parametrize("begun", [True, False])
async def test_cursor_of_a_write_whose_table_changed_topic_precedes_everything_else(
    tmp_path: Path, begun: bool
) -> None:
    async with open_writes(tmp_path, begun=begun) as opened:
        writing = asyncio.create_task(opened.writes.set(b"key", b"1"))
        await opened.kafka.received.wait()
        opened.feed.reset(Cursor(OTHER_TOPIC_ID, (7, 7, 7)))
        opened.kafka.answer(OWN, 3)
        assert (await writing).cursor == Cursor(OTHER_TOPIC_ID, (0, 4))


async def test_delete_goes_to_the_own_partition_and_all_that_hold_the_key(tmp_path: Path) -> None:
    async with open_writes(tmp_path, [record(0, b"0")], [record(2, None)]) as opened:
        deleting = asyncio.create_task(opened.writes.delete(b"key"))
        await opened.kafka.received.wait()
        (own, _), (other, _) = opened.kafka.sent
        assert [(write.partition, write.value) for write in (own, other)] == [(OWN, None), (0, None)]
        assert other.timestamp_ms < own.timestamp_ms
        opened.kafka.answer(0, 20)
        opened.kafka.answer(OWN, 30)
        written = await deleting
        assert written.record.partition == OWN
        assert written.cursor == Cursor(TOPIC_ID, (21, 31, 10))


async def test_cursor_of_a_delete_under_several_encodings_is_that_of_all_of_them(tmp_path: Path) -> None:
    async with open_writes(tmp_path, [record(0, b"0")]) as opened:
        deleting = asyncio.create_task(opened.writes.delete_all([b"key", b"as another"]))
        await opened.kafka.received.wait()
        opened.kafka.received.clear()
        opened.kafka.answer(0, 20)
        opened.kafka.answer(OWN, 30)
        await opened.kafka.received.wait()
        opened.kafka.answer(OWN, 31)
        written = await deleting
    assert [write.key for write, _ in opened.kafka.sent] == [b"key", b"key", b"as another"]
    assert (written.record.key, written.record.offset) == (b"as another", 31)
    assert written.cursor == opened.writes.cursor
    assert (written.cursor.topic_id, written.cursor.positions) == (TOPIC_ID, (21, 32, 10))


# Who reads other keys sees all positions of the topic, but not which of them this delete has moved.
@pytest.mark.parametrize(("readable", "expected"), [((), (0, 31)), ((b"other/",), (10, 31, 10))])
async def test_delete_of_a_key_that_may_not_be_read_does_not_tell_which_partitions_hold_it(
    tmp_path: Path, readable: tuple[bytes, ...], expected: tuple[int, ...]
) -> None:
    async with open_writes(tmp_path, [record(0, b"0")], readable=readable) as opened:
        deleting = asyncio.create_task(opened.writes.delete(b"key"))
        await opened.kafka.received.wait()
        assert len(opened.kafka.sent) == 2
        opened.kafka.answer(0, 20)
        opened.kafka.answer(OWN, 30)
        written = await deleting
    assert (written.cursor, written.is_readable) == (Cursor(TOPIC_ID, expected), False)
    assert opened.writes.cursor == written.cursor


async def test_failed_delete_of_a_key_that_may_not_be_read_tells_no_positions(tmp_path: Path) -> None:
    async with open_writes(tmp_path, [record(0, b"0")], readable=()) as opened:
        deleting = asyncio.create_task(opened.writes.delete(b"key"))
        await opened.kafka.received.wait()
        opened.kafka.answer(0, 20)
        opened.kafka.fail(OWN, WriteOutcomeUnknown("silence", reason="silence"))
        with pytest.raises(WriteOutcomeUnknown) as caught:
            await deleting
    assert "partition" not in str(caught.value)
    assert caught.value.details == {"reason": "silence", "cursor": Cursor(TOPIC_ID, ()).encode()}


async def test_outcome_of_a_partial_delete_is_unknown(tmp_path: Path) -> None:
    async with open_writes(tmp_path, [record(0, b"0")]) as opened:
        deleting = asyncio.create_task(opened.writes.delete(b"key"))
        await opened.kafka.received.wait()
        opened.kafka.answer(OWN, 30)
        opened.kafka.fail(0, KafkaUnavailable("away", reason="away"))
        with pytest.raises(WriteOutcomeUnknown, match="only some") as caught:
            await deleting
        assert caught.value.details == {"reason": "away", "cursor": Cursor(TOPIC_ID, (10, 10, 10)).encode()}


async def test_delete_that_failed_everywhere_has_its_own_error(tmp_path: Path) -> None:
    async with open_writes(tmp_path, [record(0, b"0")]) as opened:
        deleting = asyncio.create_task(opened.writes.delete(b"key"))
        await opened.kafka.received.wait()
        for partition in (0, OWN):
            opened.kafka.fail(partition, KafkaUnavailable("away"))
        with pytest.raises(KafkaUnavailable):
            await deleting


async def test_set_after_a_delete_is_sent_after_it(tmp_path: Path) -> None:
    async with open_writes(tmp_path, [record(0, b"0")]) as opened:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(opened.writes.delete(b"key"))
            tasks.create_task(opened.writes.set(b"key", b"1"))
            while len(opened.kafka.sent) < 3:
                await opened.kafka.received.wait()
                opened.kafka.received.clear()
            for partition in (0, OWN):
                opened.kafka.answer(partition, 30)
        assert [write.value for write, _ in opened.kafka.sent] == [None, None, b"1"]


async def test_unknown_write_carries_the_cursor_from_before(tmp_path: Path) -> None:
    async with open_writes(tmp_path) as opened:
        writing = asyncio.create_task(opened.writes.set(b"key", b"1"))
        await opened.kafka.received.wait()
        opened.kafka.fail(OWN, WriteOutcomeUnknown("silence", reason="silence"))
        with pytest.raises(WriteOutcomeUnknown) as caught:
            await writing
        assert caught.value.details == {"reason": "silence", "cursor": Cursor(TOPIC_ID, (10, 10, 10)).encode()}


async def test_cancelled_write_cancels_its_answer(tmp_path: Path) -> None:
    async with open_writes(tmp_path) as opened:
        writing = asyncio.create_task(opened.writes.set(b"key", b"1"))
        await opened.kafka.received.wait()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert opened.kafka.sent[0][1].cancelled()


async def test_headers_count_towards_the_size_of_a_value(tmp_path: Path) -> None:
    async with open_writes(tmp_path) as opened:
        for value, headers in ((b"22", ()), (b"", (("h", b""),))):
            with pytest.raises(ValueTooLarge):
                await opened.writes.set(b"key", value, headers)
        assert opened.kafka.sent == []
