"""The playground: what a visitor runs there, and links that open with an operation."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import serving, write

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = pytest.mark.browser


WATCH = "subscription Watch { updates(snapshot: true) { kind key entry { value } } }"


async def test_the_first_example_runs_and_shows_its_answer(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"one", b"1"), (b"two", b"2")]))
        async with visitor.graphiql(served.run.url) as graphiql:
            await graphiql.has_open("query Status")
            await graphiql.run()
            await graphiql.answers(f'"topic": "{embedded_topic}"')
            await graphiql.answers('"entries": 2')


async def test_a_subscription_shows_a_change_made_in_kafka(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with (
        serving(servers, embedded_topic, tmp_path) as served,
        visitor.graphiql(served.run.url, f"?{urlencode({'query': WATCH})}") as graphiql,
    ):
        await graphiql.has_open("subscription Watch")
        await graphiql.run()
        await graphiql.answers('"kind": "LIVE"')
        for value in (b"before", b"after"):
            await write(servers, embedded_topic, [(b"watched", value)])
            await graphiql.answers(f'"value": "{value.decode()}"')


async def test_a_link_opens_with_its_query_and_variables(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    link = {
        "query": "query Linked($key: String!) { value(key: $key) { key } status { topic } }",
        "variables": '{"key": "linked-key"}',
    }
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"linked-key", b"1")]))
        async with visitor.graphiql(served.run.url, f"?{urlencode(link)}") as graphiql:
            await graphiql.has_open("query Linked")
            await graphiql.run()
            await graphiql.answers('"key": "linked-key"')
            await graphiql.answers(f'"topic": "{embedded_topic}"')
