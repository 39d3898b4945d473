"""An independent reading of a topic with librdkafka: what the service's table must be."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from tests.kafka.topics import Topics

QUIET_SECONDS_MAX = 30.0
MESSAGES_A_CALL = 10_000
# How long librdkafka waits for a call to fill up, and so the shortest time of a reading.
CALL_SECONDS_MAX = 0.1
NO_TIMESTAMP = -1

_Headers = list[tuple[str, bytes | None]]
_LastMessages = dict[bytes, Message]


@dataclass(frozen=True, slots=True)
class LastRecord:
    """The last committed record of a key; `value` None is a tombstone, `timestamp` is in ms, -1 for none."""

    partition: int
    offset: int
    timestamp: int
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A committed record; `key` None is none, `value` None a tombstone."""

    offset: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class Truth:
    """A topic as it stood at `end_offsets`, the last stable offset of each partition when the reading began.

    `table` has every key's last committed record, tombstones too. For a key in several partitions, that is the last
    record of the partition with the greatest (timestamp, partition). `records` counts the committed records that the
    log still holds, `keyless` those without a key.
    """

    table: dict[bytes, LastRecord]
    end_offsets: dict[int, int]
    records: int
    keyless: int

    @cached_property
    def live(self) -> dict[bytes, bytes]:
        """The value of every key that is not deleted."""
        return {key: record.value for key, record in self.table.items() if record.value is not None}


def read_truth(bootstrap_servers: str, topic: str) -> Truth:
    """Read the whole topic, read_committed, up to the present ends of its partitions.

    Raises confluent_kafka.KafkaException if the topic is missing or no broker answers, and TimeoutError if nothing
    arrives for QUIET_SECONDS_MAX.
    """
    ends = Topics(bootstrap_servers).stable_end_offsets(topic)
    last: dict[int, _LastMessages] = {partition: {} for partition in ends}
    records = keyless = 0
    for partition, message in _messages(bootstrap_servers, topic, ends):
        records += 1
        key = message.key()
        if key is None:
            keyless += 1
        else:
            last[partition][key] = message
    return Truth(table=_shown(last), end_offsets=ends, records=records, keyless=keyless)


def read_log(bootstrap_servers: str, topic: str) -> dict[int, list[LogRecord]]:
    """Read every committed record of each partition by offset, up to its present end.

    Raises as `read_truth` does.
    """
    ends = Topics(bootstrap_servers).stable_end_offsets(topic)
    log: dict[int, list[LogRecord]] = {partition: [] for partition in ends}
    for partition, message in _messages(bootstrap_servers, topic, ends):
        log[partition].append(LogRecord(cast("int", message.offset()), message.key(), message.value()))
    return log


def _messages(bootstrap_servers: str, topic: str, ends: dict[int, int]) -> Iterator[tuple[int, Message]]:
    """Every committed message below `ends` with its partition, per partition in offset order."""
    starts = Topics(bootstrap_servers).start_offsets(topic)
    consumer = Consumer(_consumer_config(bootstrap_servers))
    try:
        consumer.assign([TopicPartition(topic, partition, starts[partition]) for partition in ends])
        unread = {partition for partition, end in ends.items() if end > 0}
        heard = time.monotonic()
        while unread:
            messages = consumer.consume(MESSAGES_A_CALL, CALL_SECONDS_MAX)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() > heard + QUIET_SECONDS_MAX:
                raise TimeoutError(f"partitions {sorted(unread)} of {topic} were not read to {ends}")
            for message in messages:
                partition, offset = _position_of(message)
                if offset >= ends[partition]:
                    unread.discard(partition)
                elif message.error() is None:
                    yield partition, message
    finally:
        consumer.close()


def _position_of(message: Message) -> tuple[int, int]:
    """The partition and offset of a message, or of the end of a partition, which comes as an error."""
    error, partition, offset = message.error(), message.partition(), message.offset()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    assert partition is not None
    assert offset is not None
    return partition, offset


def _consumer_config(bootstrap_servers: str) -> dict[str, str | int]:
    return {
        "bootstrap.servers": bootstrap_servers,
        # librdkafka requires a group id, but a consumer that assigns its partitions joins no group.
        "group.id": "truth",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        # In case the start of the log moves meanwhile.
        "auto.offset.reset": "earliest",
        "check.crcs": True,
        "fetch.wait.max.ms": 50,
        "fetch.message.max.bytes": 8_000_000,
        "queued.min.messages": 1_000_000,
        "log_level": 3,
    }


def _shown(last: dict[int, _LastMessages]) -> dict[bytes, LastRecord]:
    table: dict[bytes, LastRecord] = {}
    for partition, messages in last.items():
        for key, message in messages.items():
            record = _record(partition, message)
            other = table.get(key)
            if other is None or (other.timestamp, other.partition) < (record.timestamp, record.partition):
                table[key] = record
    return table


def _record(partition: int, message: Message) -> LastRecord:
    kind, timestamp = message.timestamp()
    return LastRecord(
        partition=partition,
        offset=cast("int", message.offset()),
        timestamp=NO_TIMESTAMP if kind == TIMESTAMP_NOT_AVAILABLE else timestamp,
        value=message.value(),
        headers=tuple(cast("_Headers", message.headers() or [])),
    )
