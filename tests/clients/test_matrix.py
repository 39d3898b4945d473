"""The matrix of docs/clients.md: every cell that says yes is a test with the real client."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.clients.checks import CHECKS, Trial
from tests.clients.client import Capability, Client
from tests.clients.matrix import CLIENTS, DOCUMENT, documented
from tests.clients.program import Program, running_program
from tests.clients.proxy import Line, line_to
from tests.serving import ServedTopic, serving_topic
from tests.transports import until_active

CELLS = [
    pytest.param(client, capability, id=f"{client.name}-{capability}", marks=getattr(pytest.mark, client.mark))
    for client in CLIENTS
    for capability in client.capabilities
]
ROWS = [pytest.param(client, id=client.name, marks=getattr(pytest.mark, client.mark)) for client in CLIENTS]


def require(client: Client) -> None:
    """Skip the test, or fail it where the tool is required, if the client cannot run here."""
    reason = client.missing()
    if reason and os.environ.get(client.required_by) == "1":
        pytest.fail(f"{client.required_by}=1, but: {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedTopic]:
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("matrix"), enable_writes=True) as topic:
        yield topic


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(topic: ServedTopic) -> AsyncIterator[Line]:
    async with line_to(topic.served.run.url) as line:
        yield line


class Programs:
    """Runs one program at a time: that of the last row asked for."""

    def __init__(self, topic: ServedTopic, line: Line) -> None:
        self._topic = topic
        self._line = line
        self._running = AsyncExitStack()
        self._program: Program | None = None

    async def of(self, client: Client) -> Program:
        """Return the running program of a row: one process for all of its cells."""
        if self._program is None or self._program.client is not client:
            await self.end()
            self._program = await self._running.enter_async_context(running_program(client, self._line.url))
        return self._program

    async def end(self) -> None:
        await self._running.aclose()
        await until_active(self._topic.served.http, 0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def programs(topic: ServedTopic, line: Line) -> AsyncIterator[Programs]:
    programs = Programs(topic, line)
    yield programs
    await programs.end()


@pytest.mark.parametrize(("client", "capability"), CELLS)
@pytest.mark.asyncio(loop_scope="module")
async def test_client_can_do_what_the_documentation_says(
    client: Client, capability: Capability, programs: Programs, topic: ServedTopic, line: Line
) -> None:
    require(client)
    program = await programs.of(client)
    await CHECKS[capability](Trial(program, topic, line, f"{capability}/{uuid4().hex}"))


@pytest.mark.parametrize("client", ROWS)
def test_version_in_the_documentation_is_installed(client: Client) -> None:
    require(client)
    assert client.installed() == client.version


def test_documentation_shows_the_clients_that_are_tested() -> None:
    text = DOCUMENT.read_text()
    assert documented(text) == text, "run: make client-matrix"
