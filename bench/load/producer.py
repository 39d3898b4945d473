"""Writes stamped records to Kafka on a schedule."""

import time
from collections.abc import Callable
from dataclasses import asdict

from confluent_kafka import KafkaError, Message, Producer

from bench.data import key, stamp, stamped
from bench.load.worker import Harness, Specification, percentiles_ms, run
from bench.payments import format_of, framed, payment
from bench.schedule import Schedule
from tests.kafka.produce import PARTITIONER

_FLUSH_SECONDS = 60.0
_LATE_SECONDS = 0.1
# The default of librdkafka, and of the Java client since Kafka 4: bursts of records go in batches.
_BURST_LINGER_MS = 5


class Writer:
    """A librdkafka producer that times the acknowledgement of each record."""

    def __init__(
        self, bootstrap_servers: str, topic: str, value: Callable[[int, int, int], bytes], *, linger_ms: float
    ) -> None:
        """`value` makes the value of a run, a key and a sequence number within the key."""
        self._topic = topic
        self._value = value
        self._failures = 0
        self.acknowledged_seconds: list[float] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "partitioner": PARTITIONER,
                "linger.ms": linger_ms,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 3,
            }
        )

    def write(self, schedule: Schedule) -> float:
        """Write on schedule; return how many seconds the latest tick was late."""
        began, late = time.perf_counter(), 0.0
        self.acknowledged_seconds = []
        for second, updates in schedule.ticks():
            while (early := began + second - time.perf_counter()) > 0:
                self._producer.poll(early)
            late = max(late, -early)
            for key_number, number in updates:
                self._write(schedule.run, key_number, number)
        left = self._producer.flush(_FLUSH_SECONDS)
        assert left == 0, f"{left} records were not written"
        assert self._failures == 0, f"Kafka refused {self._failures} records"
        return late

    def _write(self, run_number: int, key_number: int, number: int) -> None:
        began = time.perf_counter()

        def delivered(error: KafkaError | None, _: Message) -> None:
            self._failures += error is not None
            self.acknowledged_seconds.append(time.perf_counter() - began)

        self._producer.produce(
            self._topic, self._value(run_number, key_number, number), key(key_number), on_delivery=delivered
        )


def _typed(name: str, schema_id: int) -> Callable[[int, int, int], bytes]:
    """Payments of a format, whose references are stamps."""
    encode = format_of(name).encode

    def value(run_number: int, key_number: int, number: int) -> bytes:
        return framed(schema_id, encode(payment(number, stamp(run_number, key_number, number).decode())))

    return value


async def work(harness: Harness, specification: Specification) -> None:
    """Write one schedule after another."""
    lingers_ms = (0, _BURST_LINGER_MS)
    typed = specification.get("typed")
    value = stamped if typed is None else _typed(typed["format"], typed["schema_id"])
    at_once, in_bursts = (
        Writer(specification["bootstrap_servers"], specification["topic"], value, linger_ms=linger_ms)
        for linger_ms in lingers_ms
    )
    harness.send(event="ready")
    while True:
        command = await harness.receive()
        schedule = Schedule(**command["schedule"])
        writer = at_once if schedule.updates_per_tick == 1 else in_bursts
        late = writer.write(schedule)
        acknowledged = percentiles_ms(writer.acknowledged_seconds)
        harness.send(late=late > _LATE_SECONDS, late_seconds=late, acknowledged=acknowledged, **asdict(schedule))


if __name__ == "__main__":
    run(work)
