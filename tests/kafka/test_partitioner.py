"""Keys go to the partitions that Kafka's own Java producer picks."""

from pathlib import Path
from random import Random

import pytest

from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.producer import Producer, ProducerLimits
from kvs_graphql.metrics import Metrics
from kvs_graphql.state import Lifecycle
from tests.kafka.fixtures import require
from tests.kafka.jars import jars, java_compiler, run_source

pytestmark = pytest.mark.kafka

SOURCE = Path(__file__).with_name("Partitions.java")


def partition_of(key: bytes, partitions: int) -> int:
    lifecycle = Lifecycle()
    lifecycle.end_offsets = (0,) * partitions
    limits = ProducerLimits(writes_max=1, bytes_max=1, write_seconds_max=1, retry_seconds_max=1)
    return Producer(KafkaConnection("nowhere"), "topic", lifecycle, Metrics().of_table(""), limits).partition_of(key)


def javas_partitions(cases: list[tuple[int, bytes]]) -> list[int]:
    lines = "".join(f"{partitions} {key.hex()}\n" for partitions, key in cases)
    return [int(line) for line in run_source(SOURCE, jars(), lines).split()]


def test_keys_go_to_the_partitions_that_javas_partitioner_picks() -> None:
    require(jars, java_compiler)
    random = Random(11)
    keys = [b"", b"a", "clé/ключ/鍵".encode(), bytes(range(256)), b"\xff" * 7, b"\x80\x00\x7f"]
    keys += [random.randbytes(random.randrange(64)) for _ in range(2_000)]
    cases = [(random.choice((1, 2, 3, 7, 12, 50, 1_000)), key) for key in keys]
    assert [partition_of(key, partitions) for partitions, key in cases] == javas_partitions(cases)
