"""The matrix of docs/clients.md: every cell that says yes is a test with the real client."""

import os
from collections.abc import AsyncIterator
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def program(request: pytest.FixtureRequest, topic: ServedTopic, line: Line) -> AsyncIterator[Program]:
    """One process for all cells of a row."""
    client: Client = request.param
    require(client)
    async with running_program(client, line.url) as program:
        yield program
    await until_active(topic.served.http, 0)


@pytest.mark.parametrize(("program", "capability"), CELLS, indirect=["program"])
@pytest.mark.asyncio(loop_scope="module")
async def test_client_can_do_what_the_documentation_says(
    program: Program, capability: Capability, topic: ServedTopic, line: Line
) -> None:
    await CHECKS[capability](Trial(program, topic, line, f"{capability}/{uuid4().hex}"))


@pytest.mark.parametrize("client", ROWS)
def test_version_in_the_documentation_is_installed(client: Client) -> None:
    require(client)
    assert client.installed() == client.version


def test_documentation_shows_the_clients_that_are_tested() -> None:
    text = DOCUMENT.read_text()
    assert documented(text) == text, "run: make client-matrix"
