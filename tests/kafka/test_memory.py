"""Memory stays bounded with large values, in each state."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.process_stats import peak_rss_bytes, reset_peak_rss
from tests.kafka.broker import KafkaBroker
from tests.kafka.produce import produce
from tests.kafka.replica import Replica, replica

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

VALUE_BYTES = 900_000
RECORDS = 700
KEYS = 20
# About 270 MiB, whatever the values: 90 for the process, 32 for the feed (KVS_FEED_BYTES_MAX), 50 for the batches being
# collected and applied (KVS_BATCH_BYTES_MAX, and one fetch more), 16 for fetches (KVS_FETCH_BYTES_MAX), 40 for sorting
# a batch, 45 for the pages of the small file. A rebuild adds 60, for it begins while the allocator still holds what the
# last session freed. A run's records have 600 MiB.
PEAK_BYTES_MAX = 400 * 1024**2


async def test_memory_is_bounded_with_large_values_in_each_state(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    servers = kafka_broker.bootstrap_servers

    def write() -> None:
        produce(servers, topic, ((b"key-%d" % (n % KEYS), bytes(VALUE_BYTES)) for n in range(RECORDS)))

    kafka_broker.create_topic(topic, 1)
    write()
    async with replica(servers, topic, tmp_path, window_bytes_max=10**6) as service:
        with bounded_peak(service, "first read"):
            await service.applied((RECORDS,))
        with bounded_peak(service, "live"):
            write()
            await service.applied((2 * RECORDS,))
        await service.stop()
        write()
        await service.start()
        with bounded_peak(service, "far behind"):
            await service.applied((3 * RECORDS,))
        with bounded_peak(service, "rebuild"):
            kafka_broker.delete_topic(topic)
            kafka_broker.create_topic(topic, 1)
            write()
            await service.rebuilt((RECORDS,))
    kafka_broker.delete_topic(topic)


@contextmanager
def bounded_peak(service: Replica, state: str) -> Iterator[None]:
    """Check the peak memory of the service within the context."""
    reset_peak_rss(service.pid)
    yield
    peak = peak_rss_bytes(service.pid)
    assert peak < PEAK_BYTES_MAX, f"{state}: {peak / 1024**2:.0f} MiB"
