"""The writes of one request: to Kafka, in the order of its fields, and never straight into the table."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import time
from typing import Protocol

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import Forbidden, KvsError, ValueTooLarge, WriteOutcomeUnknown
from kvs_graphql.feed import Feed
from kvs_graphql.records import (
    UNKNOWN_EPOCH,
    Outgoing,
    Record,
    Written,
    advance,
    encode_headers,
    epoch_in,
    merge,
    position_in,
)
from kvs_graphql.store import Store, partitions_of

Headers = tuple[tuple[str, bytes | None], ...]


class Producer(Protocol):
    """What writes go through; `kafka.producer` has the contracts."""

    def partition_of(self, key: bytes) -> int: ...
    def send(self, writes: Sequence[Outgoing]) -> list[asyncio.Future[Written]]: ...


@dataclass(frozen=True, slots=True)
class Write:
    """A record that Kafka has. `after` its cursor come the changes after the write; `at_least` it is seen."""

    record: Record
    """As the table will have it."""
    cursor: Cursor
    is_readable: bool = True
    """Whether its principal may read the entry."""


@dataclass(frozen=True, slots=True)
class WriteRights:
    """What the principal of a request may write."""

    writable: tuple[bytes, ...]
    """The prefixes of the keys that it may write."""
    readable: tuple[bytes, ...]
    """Those of the keys that it may read; none for who may not read the table, to whom its positions are nothing."""
    denied: Callable[[], None]
    """Called for each write of another key."""


class Writes:
    """Made by `Service.writes`, for one request. Writes go to Kafka in the order in which they are called."""

    def __init__(
        self,
        producer: Producer,
        store: Store,
        feed: Feed,
        *,
        value_bytes_max: int,
        empty_tombstones: bool = False,
        rights: WriteRights | None = None,
    ) -> None:
        """`empty_tombstones` where the table stores an empty value for a record without one.

        `rights` is None for the right to everything.
        """
        self._rights = rights
        self._producer = producer
        self._tombstone = b"" if empty_tombstones else None
        self._store = store
        self._feed = feed
        self._value_bytes_max = value_bytes_max
        self._turn = asyncio.Lock()
        self.cursor: Cursor | None = None
        """Where all writes so far are applied, once there was one."""

    async def set(self, key: bytes, value: bytes, headers: Headers = ()) -> Write:
        """Write a value; return once all in-sync replicas have it.

        Raises:
            ValueTooLarge, LimitExceeded, Forbidden, KafkaUnavailable, WriteOutcomeUnknown, Unavailable: As their
                classes say. `WriteOutcomeUnknown` carries the cursor from before the write.
        """
        self._check_right(key)
        async with self._turn:
            before = self._shown(self._feed.cursor)
            write = Outgoing(key, value, headers, self._producer.partition_of(key), _now_ms())
            self._check_size(write)
            (answer,) = self._producer.send([write])
        try:
            return self._write(write, before, [await answer])
        except WriteOutcomeUnknown as unknown:
            raise _unknown(str(unknown), before, unknown) from unknown

    async def delete(self, key: bytes) -> Write:
        """Write a tombstone into the key's own partition, which is the one returned, and all others that hold it.

        Raises:
            LimitExceeded, Forbidden, KafkaUnavailable, WriteOutcomeUnknown, Unavailable: As for `set`;
                `WriteOutcomeUnknown` too where some of the partitions got theirs and others did not.
        """
        self._check_right(key)
        async with self._turn:
            before = self._shown(self._feed.cursor)
            own = self._producer.partition_of(key)
            (holding,) = (await self._store.read(partitions_of(key))).results
            now = _now_ms()
            # Elsewhere a little older: a value written in the same millisecond must not lose to such a tombstone.
            others = [Outgoing(key, None, (), partition, now - 1) for partition in holding if partition != own]
            tombstone = Outgoing(key, None, (), own, now)
            answers = self._producer.send([tombstone, *others])
        results = await asyncio.gather(*answers, return_exceptions=True)
        written = [result for result in results if isinstance(result, Written)]
        failures = [result for result in results if isinstance(result, BaseException)]
        is_readable = self._is_readable(key)
        if failures:
            raise _failure(failures, before, partly=bool(written), name_partitions=is_readable)
        return self._write(tombstone, before, written if is_readable else written[:1])

    async def delete_all(self, keys: Sequence[bytes]) -> Write:
        """Delete the encodings of one key, in turn; return the last one's write, at whose cursor all of them are gone.

        Raises:
            As `delete`. Those after the one that fails stay.
        """
        first, *others = keys
        write = await self.delete(first)
        for key in others:
            before, write = write.cursor, await self.delete(key)
            write = replace(write, cursor=_later(before, write.cursor))
        return write

    def _check_right(self, key: bytes) -> None:
        """Raises: Forbidden: The principal may not write the key, whether it is there or not."""
        if self._rights is not None and not key.startswith(self._rights.writable):
            self._rights.denied()
            raise Forbidden("This principal may not write that key.")

    def _is_readable(self, key: bytes) -> bool:
        """Whether the principal may read the key; else nothing may tell it where the key was."""
        return self._rights is None or key.startswith(self._rights.readable)

    def _shown(self, cursor: Cursor) -> Cursor:
        """The table's cursor as the principal may see it: before everything, where it may read no key."""
        if self._rights is None or self._rights.readable:
            return cursor
        return Cursor(cursor.topic_id, (), table=cursor.table)

    def _check_size(self, write: Outgoing) -> None:
        if write.size_bytes - len(write.key) > self._value_bytes_max:
            raise ValueTooLarge(
                f"The value with its headers is larger than the limit of {self._value_bytes_max} bytes.",
                limit=self._value_bytes_max,
            )

    def _write(self, write: Outgoing, before: Cursor, written: Sequence[Written]) -> Write:
        # The table may have been begun since, or be of another topic: then everything is after the write.
        here = self._feed.cursor
        positions, epochs = (before.positions, before.epochs) if before.topic_id == here.topic_id else ((), ())
        for one in written:
            positions = advance(positions, one.partition, one.offset + 1)
        # Kafka does not say under which epoch it took a record.
        taken = {one.partition for one in written}
        epochs = tuple(UNKNOWN_EPOCH if partition in taken else epoch for partition, epoch in enumerate(epochs))
        own, value = written[0], self._tombstone if write.value is None else write.value
        headers = encode_headers(write.headers)
        record = Record(write.key, value, own.partition, own.offset, own.timestamp_ms, headers)
        cursor = Cursor(here.topic_id, positions, (), epochs, here.table)
        self.cursor = cursor if self.cursor is None else _later(self.cursor, cursor)
        return Write(record, cursor, self._is_readable(write.key))


def _later(one: Cursor, other: Cursor) -> Cursor:
    """Where both cursors are reached; of two topics, the later cursor's is the table's."""
    if one.topic_id != other.topic_id:
        return other
    positions = merge(one.positions, other.positions)
    higher = [other if offset == position_in(other.positions, p) else one for p, offset in enumerate(positions)]
    epochs = tuple(epoch_in(cursor.epochs, partition) for partition, cursor in enumerate(higher))
    return Cursor(other.topic_id, positions, (), epochs, other.table)


def _failure(
    failures: Sequence[BaseException], before: Cursor, *, partly: bool, name_partitions: bool
) -> BaseException:
    """The one error of a delete that did not come through everywhere."""
    unknown = next((failure for failure in failures if isinstance(failure, WriteOutcomeUnknown)), None)
    if partly:
        reached = "reached only some of the partitions that hold the key" if name_partitions else "may have failed"
        return _unknown(f"The delete {reached}: {unknown or failures[0]}", before, unknown or failures[0])
    return failures[0] if unknown is None else _unknown(str(unknown), before, unknown)


def _unknown(message: str, before: Cursor, failure: BaseException) -> WriteOutcomeUnknown:
    details = failure.details if isinstance(failure, KvsError) else {}
    return WriteOutcomeUnknown(message, **{**details, "cursor": before.encode()})


def _now_ms() -> int:
    return int(time() * 1000)
