"""Fast bulk producing with librdkafka, independent of the producer under test."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal

from confluent_kafka import KafkaError, KafkaException, Message, Producer

Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]
Headers = Sequence[tuple[str, bytes | None]]
Item = tuple[bytes | None, bytes | None]

TRANSACTION_SECONDS_MAX = 120.0
# How long librdkafka may take to report records as timed out.
REPORT_SECONDS_MAX = 5.0
PARTITIONER = "murmur2_random"
ANY_PARTITION = -1
NOW = 0


def produce(
    bootstrap_servers: str,
    topic: str,
    records: Iterable[Item],
    *,
    partition: int | None = None,
    partitioner: str = PARTITIONER,
    compression: Compression = "none",
    headers: Headers | None = None,
    timestamp: int | None = None,
    transactional_id: str | None = None,
    abort: bool = False,
    seconds_max: float = 120,
) -> int:
    """Write (key, value) pairs in order, all with the same headers; return the number of records.

    A value of None is a tombstone, a key of None a record without key. Without `partition`, librdkafka's
    `partitioner` picks one by the key, by default as Java clients do; records without a key go to any partition.
    `timestamp` is in milliseconds, now by default. With a `transactional_id` everything is one transaction, aborted
    with `abort`. Raises confluent_kafka.KafkaException if a record is not delivered within `seconds_max`; others may
    be. If the broker goes away meanwhile, a batch outside of a transaction may be written twice in a row.
    """
    assert transactional_id is not None or not abort, "only a transaction can be aborted"
    writer = _Writer(bootstrap_servers, partitioner, compression, transactional_id, seconds_max)
    if transactional_id is None:
        return writer.write(topic, records, partition, headers, timestamp)
    with writer.transaction(abort=abort):
        return writer.write(topic, records, partition, headers, timestamp)


@contextmanager
def open_transaction(
    bootstrap_servers: str,
    topic: str,
    records: Iterable[Item],
    *,
    transactional_id: str,
    partition: int | None = None,
    abort: bool = False,
) -> Iterator[int]:
    """Write `records` in a transaction that stays open, and holds back the last stable offset, while the context is.

    Gives the number of records. At the end the transaction is committed; `abort` or an exception aborts it.
    """
    writer = _Writer(bootstrap_servers, PARTITIONER, "none", transactional_id, TRANSACTION_SECONDS_MAX)
    with writer.transaction(abort=abort):
        yield writer.write(topic, records, partition, None, None)


class _Writer:
    """A librdkafka producer that remembers the first delivery that failed."""

    def __init__(
        self,
        bootstrap_servers: str,
        partitioner: str,
        compression: Compression,
        transactional_id: str | None,
        seconds_max: float,
    ) -> None:
        self._seconds_max = seconds_max
        self._failure: KafkaError | None = None
        config: dict[str, str | int | bool] = {
            "bootstrap.servers": bootstrap_servers,
            "partitioner": partitioner,
            "compression.type": compression,
            # Keeps the order. Idempotence would too, but costs librdkafka half a second at its first record.
            "max.in.flight": 1,
            "message.max.bytes": 5_000_000,
            "batch.size": 1_000_000,
            "batch.num.messages": 100_000,
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
            "message.timeout.ms": int(seconds_max * 1000),
            # A Python callback for each record would cost more than writing the record.
            "delivery.report.only.error": True,
            "log_level": 3,
        }
        if transactional_id is not None:
            config["transactional.id"] = transactional_id
            config["transaction.timeout.ms"] = int(TRANSACTION_SECONDS_MAX * 1000)
        self._producer = Producer(config)

    @contextmanager
    def transaction(self, *, abort: bool) -> Iterator[None]:
        self._producer.init_transactions(TRANSACTION_SECONDS_MAX)
        self._producer.begin_transaction()
        try:
            yield
        except BaseException:
            self._producer.abort_transaction(TRANSACTION_SECONDS_MAX)
            raise
        if abort:
            self._producer.abort_transaction(TRANSACTION_SECONDS_MAX)
        else:
            self._producer.commit_transaction(TRANSACTION_SECONDS_MAX)

    def write(
        self,
        topic: str,
        records: Iterable[Item],
        partition: int | None,
        headers: Headers | None,
        timestamp: int | None,
    ) -> int:
        """Send all records and wait until Kafka has them; return their number."""
        send = partial(
            self._producer.produce,
            topic,
            partition=ANY_PARTITION if partition is None else partition,
            headers=None if headers is None else list(headers),
            timestamp=timestamp or NOW,
            on_delivery=self._delivered,
        )
        count = 0
        for key, value in records:
            while not _accepted(send, key, value):
                self._producer.poll(0.05)
            count += 1
        self._finish()
        return count

    def _finish(self) -> None:
        left = self._producer.flush(self._seconds_max + REPORT_SECONDS_MAX)
        if self._failure is not None:
            raise KafkaException(self._failure)
        if left:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{left} records were not delivered"))

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = error


def _accepted(send: Callable[..., None], key: bytes | None, value: bytes | None) -> bool:
    """Queue one record; return False while librdkafka's queue is full."""
    try:
        send(value=value, key=key)
    except BufferError:
        return False
    return True
