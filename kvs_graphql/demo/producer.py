"""Producer of live figures of this machine: `python -m kvs_graphql.demo.producer BOOTSTRAP PREFIX`."""

import argparse
import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer

from kvs_graphql.demo.figures import Change, Figures, Place
from kvs_graphql.demo.values import value_of

# A topic may drop old records, as the embedded broker does, so each key is written again this often.
REFRESH_SECONDS = 60.0
DELIVERY_SECONDS_MAX = 10.0
STOP_SECONDS_MAX = 0.1

_logger = logging.getLogger(__name__)


def topic_of(prefix: str, table: str) -> str:
    """The topic of a table."""
    return f"{prefix}.{table}"


async def publish_figures(bootstrap_servers: str, prefix: str, interval_seconds: float = 1.0) -> None:
    """Write the figures of this machine to the topics of their tables, until cancelled.

    A figure that is gone becomes a tombstone.

    Keys and values are those of `kvs_graphql.demo.figures`, in UTF-8 and JSON, those of `processes` in Avro. They are
    partitioned as Java and aiokafka do.
    Once per interval, starting after the first one, the changed figures are written and acknowledged by all replicas.
    A record that Kafka does not accept within 10 s is logged as a warning and written again with its current value.
    Two machines must not share topics, since their keys are the same.

    Does not block the event loop. Cancelling takes about 0.1 s and drops unacknowledged records. Raises KafkaException
    for settings that librdkafka refuses.
    """
    stop = threading.Event()
    publishing = asyncio.create_task(
        asyncio.to_thread(_publish_until, stop, bootstrap_servers, prefix, interval_seconds)
    )
    try:
        await asyncio.shield(publishing)
    finally:
        stop.set()
        await asyncio.gather(publishing, return_exceptions=True)


def _publish_until(stop: threading.Event, bootstrap_servers: str, prefix: str, interval_seconds: float) -> None:
    producer = _connect(bootstrap_servers)
    figures = Figures()
    due = refreshed = time.monotonic()
    while not stop.wait(max(0.0, due + interval_seconds - time.monotonic())):
        # Do not catch up on intervals that were missed.
        due = max(due + interval_seconds, time.monotonic() - interval_seconds)
        if due - refreshed >= REFRESH_SECONDS:
            figures.forget_all()
            refreshed = due
        failures = _write(producer, prefix, figures.changes(), stop)
        figures.forget(failures)
        for reason in set(failures.values()):
            _logger.warning("Kafka did not accept the figures; they will be written again: %s", reason)
    producer.purge()
    producer.flush(STOP_SECONDS_MAX)


def _connect(bootstrap_servers: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "acks": "all",
            "compression.type": "lz4",
            "message.timeout.ms": int(DELIVERY_SECONDS_MAX * 1000),
            # The default partitioner of librdkafka differs from that of the service's writes.
            "partitioner": "murmur2_random",
            "logger": _logger,
        }
    )


def _write(producer: Producer, prefix: str, changes: list[Change], stop: threading.Event) -> dict[Place, str]:
    """Produce changes and wait for their acknowledgement or `stop`; return what failed with the reason."""
    failures: dict[Place, str] = {}

    def reporter(place: Place) -> Callable[[KafkaError | None, Message], None]:
        def report(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures[place] = error.str()

        return report

    for place, figure in changes:
        value = None if figure is None else value_of(place.table, figure)
        producer.produce(topic_of(prefix, place.table), value, place.key.encode(), on_delivery=reporter(place))
    while producer.flush(STOP_SECONDS_MAX) and not stop.is_set():
        continue
    return failures


def main() -> None:
    """Publish to the topics with the prefix given on the command line until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Write this machine's live figures to Kafka.")
    parser.add_argument("bootstrap_servers", help="host:port, comma-separated")
    parser.add_argument("prefix", help="of the names of the topics")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two samples (default 1)")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(publish_figures(arguments.bootstrap_servers, arguments.prefix, arguments.interval))


if __name__ == "__main__":
    main()
