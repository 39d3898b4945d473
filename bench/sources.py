"""Sources of updates: a Kafka producer in its own process, or the timer of a bare application."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol

import httpx

from bench.processes import Server, Worker
from bench.schedule import Schedule

_START_SECONDS_MAX = 30.0
_EXTRA_SECONDS_MAX = 90.0


class Source(Protocol):
    """Something that sends updates on a schedule."""

    def start(self, schedule: Schedule) -> None:
        """Start sending; return at once."""

    def finish(self) -> dict[str, Any]:
        """Wait until everything is sent; return whether it was late, and the latencies of acknowledgements."""


class KafkaSource:
    """A producer process: `bench.load.producer`."""

    def __init__(self, producer: Worker) -> None:
        self._producer = producer
        self._seconds_max = 0.0

    def start(self, schedule: Schedule) -> None:
        self._seconds_max = schedule.seconds + _EXTRA_SECONDS_MAX
        self._producer.send(schedule=asdict(schedule))

    def finish(self) -> dict[str, Any]:
        return self._producer.receive(self._seconds_max)


class BareSource:
    """The timer of `bench.floors.sends`."""

    def __init__(self, server: Server) -> None:
        self._url = f"{server.url}/start"

    def start(self, schedule: Schedule) -> None:
        httpx.post(self._url, json=asdict(schedule)).raise_for_status()

    def finish(self) -> dict[str, Any]:
        return {"late": False, "acknowledged": {}}


@contextmanager
def kafka_source(
    bootstrap_servers: str, topic: str, typed: Mapping[str, object] | None = None
) -> Iterator[KafkaSource]:
    """Run a producer for a topic for as long as the context is open.

    `typed` has the `format` of its values and the `schema_id` in the registry; None for text.
    """
    with Worker("bench.load.producer", bootstrap_servers=bootstrap_servers, topic=topic, typed=typed) as producer:
        producer.receive(_START_SECONDS_MAX)
        yield KafkaSource(producer)
