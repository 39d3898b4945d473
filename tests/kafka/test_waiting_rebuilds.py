"""A rebuild that lacks something waits for it, and the old table is served meanwhile."""

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kvs_graphql.state import Moment, State
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import produce
from tests.kafka.rebuilds import served_once, states_of
from tests.serving import Served, nothing_applied, serving

pytestmark = pytest.mark.kafka


async def test_rebuild_without_descriptors_waits_and_serves_the_old_table(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    await served_by_an_older_topic(kafka_broker, topic, tmp_path)
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        # Opens the connection that is used below.
        await served.query("{ status { ready } }")
        with limited(resource.RLIMIT_NOFILE) as limit:
            limits = [4]
            # Listeners hear of a new state before anything else happens in it.
            served.run.unit().lifecycle.listen(
                lambda moment: limit(limits.pop()) if moment.state is State.REBUILDING and limits else None
            )
            async with asyncio.timeout(SECONDS_MAX):
                await served.reason("Too many open files")
            await shows_that_it_waits(served, "Too many open files")
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        await assert_equal_to_the_log(served, kafka_broker, topic)


async def test_rebuild_on_a_full_disk_waits_and_serves_the_old_table(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    await served_by_an_older_topic(kafka_broker, topic, tmp_path)
    produce(kafka_broker.bootstrap_servers, topic, [(b"large%d" % n, bytes(500_000)) for n in range(4)])
    # Limits the size of files, as a quota would.
    with limited(resource.RLIMIT_FSIZE) as limit:
        limit(1_000_000)
        async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
            async with asyncio.timeout(SECONDS_MAX):
                await served.reason("waiting: The new table cannot be written: ")
            await shows_that_it_waits(served, "SQLITE_IOERR_WRITE")
            assert not (tmp_path / "kvs.db.rebuild").exists()
            limit(resource.RLIM_INFINITY)
            async with asyncio.timeout(SECONDS_MAX):
                await served.state(State.LIVE)
            await assert_equal_to_the_log(served, kafka_broker, topic)


async def test_swap_waits_for_a_locked_database_and_keeps_what_was_built(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    await served_by_an_older_topic(kafka_broker, topic, tmp_path)
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        moments = states_of(served)
        with ExitStack() as locked:

            def lock(moment: Moment) -> None:
                if moment.state is State.REBUILDING and "waiting" not in moment.reason:
                    locked.enter_context(nothing_applied(tmp_path))

            served.run.unit().lifecycle.listen(lock)
            async with asyncio.timeout(SECONDS_MAX):
                await served.reason("waiting: The database cannot be replaced")
            await shows_that_it_waits(served, "locked")
            assert (tmp_path / "kvs.db.rebuild").exists()
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        await assert_equal_to_the_log(served, kafka_broker, topic)
    assert sum(m.reason.endswith("since the table was built") for m in moments) == 1, "it was built once"


async def served_by_an_older_topic(broker: KafkaBroker, topic: str, directory: Path) -> None:
    """Leave a database of a topic that was deleted and created again since."""
    broker.create_topic(topic, 1)
    await served_once(broker, topic, directory, [(b"old", b"1")])
    broker.delete_topic(topic)
    broker.create_topic(topic, 1)
    produce(broker.bootstrap_servers, topic, [(b"new", b"1")])


async def shows_that_it_waits(served: Served, why: str) -> None:
    answer = await served.http.get("/readyz")
    assert (answer.status_code, answer.json()["state"]) == (503, "REBUILDING")
    assert why in answer.json()["reason"]
    assert await served.data('{ value(key: "old") { value } }') == {"value": {"value": "1"}}
    assert served.run.failure is None


@contextmanager
def limited(kind: int) -> Iterator[Callable[[int], None]]:
    """Give what sets this process's limit of that kind; at the end, the limit is as before."""
    soft, hard = resource.getrlimit(kind)
    try:
        yield lambda limit: resource.setrlimit(kind, (hard if limit == resource.RLIM_INFINITY else limit, hard))
    finally:
        resource.setrlimit(kind, (soft, hard))
