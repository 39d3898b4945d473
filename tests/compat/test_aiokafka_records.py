"""Canaries: each fails when a new version of aiokafka breaks `kvs_graphql.compat.aiokafka_records`."""

import struct
from random import Random
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from kvs_graphql.compat.aiokafka_records import AnyRecords, read_any_records

_LENGTH_AT, _CRC_AT, _ATTRIBUTES_AT = 8, 17, 21
_UNCOMPRESSED, *_ = _CODECS = range(5)
Headers = list[tuple[str, bytes | None]]


def batch_of(*headers: Headers, codec: int = _UNCOMPRESSED) -> bytearray:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=0,
        batch_size=100_000,
    )
    for offset, each in enumerate(headers):
        builder.append(offset, timestamp=5, key=b"k%d" % offset, value=b"v" * offset, headers=each)
    return bytearray(builder.build())


def with_valid_checksum(raw: bytearray) -> bytes:
    end = _LENGTH_AT + 4 + struct.unpack_from(">i", raw, _LENGTH_AT)[0]
    struct.pack_into(">I", raw, _CRC_AT, calc_crc32c(bytes(raw[_ATTRIBUTES_AT : max(end, _ATTRIBUTES_AT)])))
    return bytes(raw)


def read(raw: bytes) -> list[Any]:
    return [*PartitionRecords(TopicPartition("topic", 0), AnyRecords(raw), [], 0, None, None, True, READ_COMMITTED)]


def test_consumers_read_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "MemoryRecords", None)
    read_any_records()
    assert fetcher.MemoryRecords is AnyRecords


def test_names_of_headers_that_are_not_utf8_are_shown_as_keys_are() -> None:
    headers: list[Headers] = [[("plain", b"1")], [("cafX", b"\xff"), ("none", None)], [("wért", b"2")]]
    raw = with_valid_checksum(batch_of(*headers).replace(b"cafX", b"caf\xe9"))
    expected = [(("plain", b"1"),), (("caf\\xe9", b"\xff"), ("none", None)), (("wért", b"2"),)]
    records = read(raw + bytes(batch_of([])))
    assert [(record.offset, record.headers) for record in records] == list(enumerate(expected))
    assert [(record.key, record.value) for record in records] == [(b"k0", b""), (b"k1", b"v"), (b"k2", b"vv")]


def changed(random: Random) -> bytes:
    """A batch, with any of its bytes changed, and often with a checksum that is valid all the same."""
    headers: Headers = [("name", b"1"), ("none", None)]
    raw = batch_of(*[headers] * 3, codec=random.choice(_CODECS))
    for _ in range(random.choice((0, 1, 1, 3))):
        raw[random.randrange(len(raw))] = random.choice((0, 127, 128, 255, random.randrange(256)))
    return with_valid_checksum(raw) if random.random() < 0.9 else bytes(raw)


def test_any_batch_is_read_or_unreadable() -> None:
    outcomes = set()
    for seed in range(5_000):
        outcome: type[Exception] | None = None
        try:
            for record in read(changed(Random(seed))):
                assert min(record.offset, record.timestamp) >= -(2**63), seed
                assert max(record.offset, record.timestamp) < 2**63, seed
        except (CorruptRecordException, UnsupportedCodecError) as error:
            outcome = type(error)
        except (struct.error, TypeError):
            # Keys of control batches are parsed by the consumer itself.
            outcome = None
        outcomes.add(outcome)
    assert outcomes == {None, CorruptRecordException, UnsupportedCodecError}
