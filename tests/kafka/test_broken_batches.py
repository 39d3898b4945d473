"""A service whose broker returns batches with changed bytes: no error without a place, and no loss beside them."""

import asyncio
import re
import struct
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from kvs_graphql.compat import aiokafka_records
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.errors import UnreadableRecord
from kvs_graphql.records import Positions, advance
from tests.deadline import SECONDS_MAX
from tests.kafka.produce import produce
from tests.serving import serving

_LENGTH_AT, _CRC_AT, _ATTRIBUTES_AT, _RECORDS_AT = 8, 17, 21, 61
_PARTITIONS = 3
_BATCHES = 15
_SHARE_BROKEN = 0.3
_SEEDS = range(8)


def _spans(raw: bytes) -> list[tuple[int, int]]:
    spans, start = [], 0
    while start + _RECORDS_AT <= len(raw):
        end = start + _LENGTH_AT + 4 + struct.unpack_from(">i", raw, start + _LENGTH_AT)[0]
        spans.append((start, end))
        start = end
    return spans


class BreakingBroker:
    """Changes some batches of every response, each always in the same way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seed: int, share: float) -> None:
        self.broken: set[bytes] = set()
        self._seed = seed
        self._share = share
        self._records = MemoryRecords
        monkeypatch.setattr(aiokafka_records, "MemoryRecords", self)

    def __call__(self, raw: bytes) -> Any:
        changed = bytearray(raw)
        for start, end in _spans(raw):
            if end <= len(raw):
                self._change(changed, start, end)
        return self._records(bytes(changed))

    def _change(self, raw: bytearray, start: int, end: int) -> None:
        batch = bytes(raw[start:end])
        random = Random(f"{self._seed} {batch!r}")
        if random.random() >= self._share:
            return
        self.broken.add(batch)
        for _ in range(random.choice((1, 3))):
            raw[start + random.randrange(_RECORDS_AT, end - start)] = random.choice((0, 127, 128, 255))
        if random.random() < 0.7:
            checksum = calc_crc32c(bytes(raw[start + _ATTRIBUTES_AT : end]))
            struct.pack_into(">I", raw, start + _CRC_AT, checksum)


def written(broker: EmbeddedBroker, topic: str) -> Positions:
    """Write batches of three records into each partition; return the positions after them."""
    broker.create_topic(topic, _PARTITIONS)
    positions: Positions = ()
    for batch in range(_BATCHES):
        for partition in range(_PARTITIONS):
            records = [(b"%d/%02d/%d" % (partition, batch, n), b"value") for n in range(3)]
            produce(broker.bootstrap_servers, topic, records, partition=partition, headers=[("name", b"1")])
            positions = advance(positions, partition, 3 * (batch + 1))
    return positions


@pytest.mark.parametrize("seed", _SEEDS)
async def test_broken_batches_are_skipped_and_every_other_record_is_read(
    embedded_broker: EmbeddedBroker, topic: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    positions = written(embedded_broker, topic)
    broker = BreakingBroker(monkeypatch, seed, _SHARE_BROKEN)
    async with serving(embedded_broker.bootstrap_servers, topic, tmp_path, unreadable="skip") as served:
        await served.applied(positions)
        edges = (await served.data("{ entries(first: 1000) { edges { node { key } } } }"))["entries"]["edges"]
        found = {edge["node"]["key"].encode() for edge in edges}
    broken = b"".join(broker.broken)
    keys = {b"%d/%02d/%d" % (p, b, n) for p in range(_PARTITIONS) for b in range(_BATCHES) for n in range(3)}
    intact = {key for key in keys if key not in broken}
    assert len(intact) < len(keys)
    assert intact <= found


@pytest.mark.parametrize("seed", _SEEDS)
async def test_broken_batch_stops_the_service_and_its_place_is_named(
    embedded_broker: EmbeddedBroker, topic: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    written(embedded_broker, topic)
    BreakingBroker(monkeypatch, seed, 1.0)
    place = rf"topic '{re.escape(topic)}', partition \d, offset \d+: .+\. Set KVS_UNREADABLE"
    with pytest.raises(UnreadableRecord, match=place):
        async with serving(embedded_broker.bootstrap_servers, topic, tmp_path) as served:
            async with asyncio.timeout(SECONDS_MAX):
                await served.run.wait()
