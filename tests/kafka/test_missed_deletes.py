"""A key stays deleted although Kafka dropped its tombstone before it was read."""

from pathlib import Path

import pytest

from tests.kafka.broker import KafkaBroker
from tests.kafka.produce import produce
from tests.kafka.rebuilds import BRIEF, assert_rebuilt, forget_tombstones, served_once, states_of
from tests.serving import serving

pytestmark = pytest.mark.kafka


async def test_key_stays_deleted_after_kafka_dropped_its_tombstone(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1, **BRIEF)
    await served_once(kafka_broker, topic, tmp_path, [(b"a", b"1"), (b"b", b"1")])
    produce(kafka_broker.bootstrap_servers, topic, [(b"a", None), (b"c", b"1")])
    await forget_tombstones(kafka_broker, topic)
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        moments = states_of(served)
        assert await assert_rebuilt(served, kafka_broker, topic, moments, "keeps tombstones") == {b"b", b"c"}
