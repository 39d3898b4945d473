"""Normalising caches with the real clients: an `id` means the entry in its latest state, whatever field it came by."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.clients.client import Capability, Client
from tests.clients.javascript import JAVASCRIPT
from tests.clients.program import Program, running_program
from tests.serving import ServedTopic, serving_topic

CACHES = [client for client in JAVASCRIPT if Capability.DELETE in client.can]

pytestmark = [
    pytest.mark.node,
    pytest.mark.usefixtures("npm_clients"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("cache", CACHES, ids=[client.name for client in CACHES], indirect=True, scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedTopic]:
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("caches"), enable_writes=True) as topic:
        yield topic


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cache(request: pytest.FixtureRequest, topic: ServedTopic) -> AsyncIterator[Program]:
    client: Client = request.param
    async with running_program(client, topic.served.run.url) as program:
        yield program


async def test_history_of_a_key_is_what_was_written_and_its_value_the_last(topic: ServedTopic, cache: Program) -> None:
    key = f"counted/{cache.client.name}"
    await topic.write(*((key.encode(), value) for value in (b"1", b"2", b"3")))
    entry = await cache.answer("history", key=key)
    assert [(past["kind"], past["value"]) for past in entry["history"]] == [("SET", "1"), ("SET", "2"), ("SET", "3")]
    assert entry["value"] == "3"


async def test_key_that_was_deleted_and_set_again_does_not_fall_back_to_an_old_value(
    topic: ServedTopic, cache: Program
) -> None:
    key = f"again/{cache.client.name}"
    await topic.write((key.encode(), b"old"), (key.encode(), None), (key.encode(), b"new"), (key.encode(), b"newer"))
    await cache.query(key)
    history = (await cache.answer("history", key=key))["history"]
    assert [past["value"] for past in history] == ["old", None, "new", "newer"]
    assert await cache.cached(key) == "newer"


async def test_update_after_a_delete_is_the_value_again(topic: ServedTopic, cache: Program) -> None:
    key = f"watched/{cache.client.name}"
    await topic.write((key.encode(), b"1"))
    await cache.query(key)
    async with cache.subscribed(cache.client.transports[0], key) as updates:
        await topic.write((key.encode(), None), (key.encode(), b"2"))
        assert [await updates.next_change() for _ in range(2)] == [("DELETE", None), ("SET", "2")]
        assert await cache.query(key) == "2"
        await topic.write((key.encode(), b"3"))
        assert await updates.next_change() == ("SET", "3")
        assert await cache.cached(key) == "3"


async def test_mutation_changes_the_entry_and_its_history(topic: ServedTopic, cache: Program) -> None:
    key = f"written/{cache.client.name}"
    await topic.write((key.encode(), b"1"))
    await cache.query(key)
    written = await cache.answer("written", key=key, value="2")
    assert [past["value"] for past in written["history"]] == ["1", "2"]
    assert await cache.cached(key) == "2"
