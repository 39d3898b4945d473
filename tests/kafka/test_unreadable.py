"""Batches that cannot be read and records larger than any limit. None is skipped silently."""

import asyncio
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.record.util import calc_crc32c

from kvs_graphql.errors import UnreadableRecord
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import produce
from tests.serving import serving

pytestmark = pytest.mark.kafka

_SECOND_BATCH = 3
"""Its base offset."""
_LENGTH_AT, _CRC_AT, _ATTRIBUTES_AT, _COUNT_AT, _RECORDS_AT = 8, 17, 21, 57, 61
_UNKNOWN_CODEC = 7

Poison = Callable[[bytearray], None]


def corrupt(batch: bytearray) -> None:
    batch[-10] ^= 0xFF


def compress_in_an_unknown_way(batch: bytearray) -> None:
    """Name an unknown codec in the batch's attributes. Its checksum is valid."""
    batch[_ATTRIBUTES_AT + 1] |= _UNKNOWN_CODEC
    struct.pack_into(">I", batch, _CRC_AT, calc_crc32c(bytes(batch[_ATTRIBUTES_AT:])))


def break_a_record(batch: bytearray) -> None:
    """Give the first record another length. The batch's checksum is valid."""
    batch[_RECORDS_AT] ^= 0x02
    struct.pack_into(">I", batch, _CRC_AT, calc_crc32c(bytes(batch[_ATTRIBUTES_AT:])))


@pytest.fixture(params=[corrupt, compress_in_an_unknown_way, break_a_record])
def poisoned(request: pytest.FixtureRequest, kafka_broker: KafkaBroker, topic: str) -> int:
    """How many records of the topic cannot be read: their batch, the fourth record's, was changed on the broker's disk.

    There are nine records. A slow producer may send three that are written together in more than one batch.
    """
    poison: Poison = request.param
    kafka_broker.create_topic(topic, 1)
    for number in range(3):
        produce(
            kafka_broker.bootstrap_servers, topic, [(b"k%d-%d" % (number, n), b"batch %d" % number) for n in range(3)]
        )
    kafka_broker.stop()
    (segment,) = kafka_broker.log.parent.rglob(f"{topic}-0/00000000000000000000.log")
    raw = bytearray(segment.read_bytes())
    start, end = _span(raw, _SECOND_BATCH)
    batch = raw[start:end]
    poison(batch)
    raw[start:end] = batch
    segment.write_bytes(raw)
    kafka_broker.start()
    (count,) = struct.unpack_from(">i", batch, _COUNT_AT)
    return int(count)


@pytest.mark.usefixtures("poisoned")
async def test_unreadable_batch_stops_the_service_and_its_offset_is_named(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    position = re.escape(f"topic '{topic}', partition 0, offset {_SECOND_BATCH}")
    with pytest.raises(UnreadableRecord, match=position):
        async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served, asyncio.timeout(SECONDS_MAX):
            await served.run.wait()
    moment = served.run.unit().lifecycle.moment
    assert moment.state is State.STOPPED
    assert re.search(position, moment.reason)


async def test_unreadable_batch_is_skipped_and_counted_if_the_operator_allows_it(
    kafka_broker: KafkaBroker, topic: str, poisoned: int, tmp_path: Path
) -> None:
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, unreadable="skip") as served:
        await served.applied((9,))
        entries = (await served.data("{ entries { edges { node { key } } } }"))["entries"]["edges"]
        written = [f"k{batch}-{n}" for batch in range(3) for n in range(3)]
        del written[_SECOND_BATCH : _SECOND_BATCH + poisoned]
        assert [edge["node"]["key"] for edge in entries] == written
        metrics = (await served.http.get("/metrics")).text
        assert f'kvs_records_skipped_total{{reason="unreadable",table=""}} {poisoned}.0' in metrics


async def test_header_name_that_is_not_utf8_is_shown_as_keys_are(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"key", b"value")], headers=[("cafX", b"1"), ("plain", None)])
    kafka_broker.stop()
    (segment,) = kafka_broker.log.parent.rglob(f"{topic}-0/00000000000000000000.log")
    raw = bytearray(segment.read_bytes().replace(b"cafX", b"caf\xe9"))
    struct.pack_into(">I", raw, _CRC_AT, calc_crc32c(bytes(raw[_ATTRIBUTES_AT : _span(raw, 0)[1]])))
    segment.write_bytes(raw)
    kafka_broker.start()
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await served.applied((1,))
        entry = (await served.data('{ value(key: "key") { value headers { key value } } }'))["value"]
    assert entry["headers"] == [{"key": "caf\\xe9", "value": "1"}, {"key": "plain", "value": None}]
    assert entry["value"] == "value"


async def test_record_larger_than_every_limit_is_read(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    kafka_broker.create_topic(topic, 2)
    records = [(b"k%d" % n, bytes([n]) * 900_000) for n in range(4)]
    produce(kafka_broker.bootstrap_servers, topic, records)
    smallest = {"fetch_bytes_max": 1, "batch_bytes_max": 1, "window_bytes_max": 1, "feed_bytes_max": 1}
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, **smallest) as served:
        async with asyncio.timeout(SECONDS_MAX):
            truth = await assert_equal_to_the_log(served, kafka_broker, topic)
        assert len(truth.live) == len(records)


def _span(raw: bytearray, base_offset: int) -> tuple[int, int]:
    """Return where the batch with this base offset begins and ends in the file."""
    start = 0
    while start < len(raw):
        (offset,) = struct.unpack_from(">q", raw, start)
        (length,) = struct.unpack_from(">i", raw, start + _LENGTH_AT)
        end: int = start + _LENGTH_AT + 4 + length
        if offset == base_offset:
            return start, end
        start = end
    raise AssertionError(f"no batch begins at {base_offset}")
