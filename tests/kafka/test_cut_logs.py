"""A log that was cut short and grew again is noticed, by the service and by its clients."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kafka.broker import KafkaBroker
from tests.kafka.produce import produce
from tests.kafka.rebuilds import assert_clients_are_reset, assert_rebuilt, served_once, states_of
from tests.serving import serving

pytestmark = pytest.mark.kafka

LOST = [(b"lost%d" % n, b"1") for n in range(9)]
NEW = [(b"new%d" % n, b"2") for n in range(20)]


def new_log(broker: KafkaBroker, topic: str) -> Callable[[], None]:
    """Begin a log of one record; return what cuts it down to that and lets it grow past its end, with other records.

    The offsets do not tell the logs apart.
    """
    broker.create_topic(topic, 1)
    produce(broker.bootstrap_servers, topic, [(b"kept", b"1")])
    (segment,) = broker.log.parent.rglob(f"{topic}-0/00000000000000000000.log")
    size = segment.stat().st_size

    def cut_short() -> None:
        broker.stop()
        with segment.open("r+b") as file:
            file.truncate(size)
        broker.start()
        produce(broker.bootstrap_servers, topic, NEW)

    return cut_short


async def test_entries_of_a_log_that_was_cut_short_and_grew_again_are_removed(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    cut_short = new_log(kafka_broker, topic)
    await served_once(kafka_broker, topic, tmp_path, LOST)
    cut_short()
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        live = await assert_rebuilt(served, kafka_broker, topic, states_of(served), "cut short and grew again")
    assert live == {b"kept", *(key for key, _ in NEW)}


async def test_clients_of_a_log_that_was_cut_short_and_grew_again_are_reset(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, table: str
) -> None:
    cut_short = new_log(kafka_broker, topic)
    produce(kafka_broker.bootstrap_servers, topic, LOST)
    before, after = ({"kept": "1"} | {key.decode(): value.decode() for key, value in some} for some in (LOST, NEW))
    await assert_clients_are_reset(kafka_broker, topic, tmp_path, cut_short, before=before, after=after, table=table)
