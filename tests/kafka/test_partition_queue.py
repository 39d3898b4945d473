"""The queue of a partition keeps the order of its writes and forgets those that nobody waits for."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice

from kvs_graphql.errors import KafkaUnavailable
from kvs_graphql.kafka.partition_queue import PartitionQueue
from kvs_graphql.kafka.pending_write import PendingWrite
from kvs_graphql.records import Outgoing
from tests.kafka.writes import pending


class Values(list[bytes | None]):
    """A batch that is a list of values."""

    def record_count(self) -> int:
        return len(self)


def room_for(writes_max: int) -> Callable[[Iterable[Outgoing]], Values]:
    """Builds batches of at most so many writes; like aiokafka, it looks at one write more."""

    def build(writes: Iterable[Outgoing]) -> Values:
        seen = [write.value for write in islice(writes, writes_max + 1)]
        return Values(seen[:writes_max])

    return build


def queued(*values: bytes) -> tuple[PartitionQueue, list[PendingWrite]]:
    queue, writes = PartitionQueue(), [pending(value) for value in values]
    for write in writes:
        queue.add(write)
    return queue, writes


async def test_writes_are_taken_in_order_and_only_as_many_as_fit() -> None:
    queue, writes = queued(b"1", b"2", b"3")
    assert queue.take(room_for(2)) == ([b"1", b"2"], writes[:2])
    assert queue.take(room_for(2)) == ([b"3"], writes[2:])


async def test_writes_that_were_put_back_are_next() -> None:
    queue, _ = queued(b"1", b"2", b"3")
    _, taken = queue.take(room_for(2))
    queue.put_back(taken)
    assert queue.take(room_for(9))[0] == [b"1", b"2", b"3"]


async def test_cancelled_write_is_not_taken_even_in_the_same_turn() -> None:
    queue, (first, second) = queued(b"1", b"2")
    first.answer.cancel()
    assert queue.take(room_for(9)) == ([b"2"], [second])


async def test_queue_of_cancelled_writes_is_empty_after_a_take() -> None:
    queue, (only,) = queued(b"1")
    only.answer.cancel()
    assert queue.take(room_for(9)) == ([], [])
    filled = asyncio.ensure_future(queue.until_filled())
    await asyncio.sleep(0)
    assert not filled.done()
    queue.add(pending(b"2"))
    await filled


async def test_answered_write_leaves_the_queue() -> None:
    queue, (first, second) = queued(b"1", b"2")
    first.fail(KafkaUnavailable("away"))
    await asyncio.sleep(0)
    assert [*queue] == [second]
    assert isinstance(first.answer.exception(), KafkaUnavailable)
