"""Relay's compiler and runtime: a list in pages, refetched entries, and what mutations append to the list or delete."""

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.clients.javascript import JAVASCRIPT
from tests.clients.program import Program, running_program
from tests.serving import ServedTopic, serving_topic

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("npm_clients"), pytest.mark.asyncio(loop_scope="module")]

(RELAY,) = (client for client in JAVASCRIPT if client.name == "Relay")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedTopic]:
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("relay"), enable_writes=True) as topic:
        yield topic


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relay(npm_clients: Path, topic: ServedTopic) -> AsyncIterator[Program]:
    assert npm_clients
    async with running_program(RELAY, topic.served.run.url) as program:
        yield program


async def test_connection_grows_by_pages_and_by_appended_nodes(topic: ServedTopic, relay: Program) -> None:
    await topic.write(*((b"paged/%d" % number, b"%d" % number) for number in range(5)))
    assert await relay.answer("page", key="paged/") == ["0", "1"]
    assert await relay.answer("nextPage", key="paged/") == ["0", "1", "2", "3"]
    assert await relay.answer("nextPage", key="paged/") == ["0", "1", "2", "3", "4"]
    assert await relay.answer("append", key="paged/5", value="5") == ["0", "1", "2", "3", "4", "5"]


async def test_refetched_node_is_the_latest_and_a_deleted_one_leaves_the_connection(
    topic: ServedTopic, relay: Program
) -> None:
    await topic.write((b"refetched/a", b"1"), (b"refetched/b", b"1"))
    assert await relay.answer("page", key="refetched/") == ["1", "1"]
    await topic.write((b"refetched/a", b"2"))
    await relay.answer("refetch", key=urlsafe_b64encode(b"refetched/a").rstrip(b"=").decode())
    assert await relay.answer("listed", key="refetched/") == ["2", "1"]
    await relay.delete("refetched/a")
    assert await relay.answer("listed", key="refetched/") == ["1"]
