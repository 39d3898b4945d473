"""Tokens that expire, with the real clients: `resumableUpdates` renews them, and each change arrives once."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.auth.issuer import Issuer
from tests.auth.tokens import LONG_SECONDS, SHORT_SECONDS, Tokens, token_settings
from tests.clients.node import Node
from tests.clients.numbers import assert_each_once, numbers
from tests.clients.proxy import line_to
from tests.clients.watching import watching
from tests.deadline import SECONDS_MAX
from tests.ports import free_port
from tests.serving import serving
from tests.transports import until_active

pytestmark = [
    pytest.mark.node,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("kind", ["graphql-ws", "graphql-sse", "graphql-sse on one connection"]),
]


async def test_no_change_is_lost_or_repeated_when_tokens_expire_before_and_during_a_restart(
    node: Node, kind: str, embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers, topic, port = embedded_broker.bootstrap_servers, embedded_topic, free_port()
    asks, tokens = token_settings(tmp_path), Tokens(SHORT_SECONDS, SHORT_SECONDS, LONG_SECONDS)
    async with asyncio.timeout(SECONDS_MAX), AsyncExitStack() as clients:
        async with serving(servers, topic, tmp_path, port=port, **asks) as served:
            await served.state(State.LIVE)
            url = served.run.url
            watch = watching(node, kind, url, "n/", token=tokens, retryAttempts=0)
            received = await clients.enter_async_context(watch)
            await received.until_is("live")
            n = await clients.enter_async_context(numbers(servers, topic, "n/"))
            await received.until_is("reconnecting")
            await received.until_is("live")
            await received.until_has(len(received.numbers) + 20)
        await received.until_is("reconnecting")
        await asyncio.sleep(tokens.expires_at - time.time())
        async with serving(servers, topic, tmp_path, port=port, **asks):
            await received.until_is("live")
            await n.more(20)
            await received.until_has(await n.stop())
            await clients.aclose()
    assert_each_once(received.numbers, n.written)
    assert received.kinds == {"LIVE", "SET"}
    assert tokens.given == 3


async def test_no_change_is_lost_or_repeated_when_a_token_is_renewed_on_another_replica(
    node: Node, kind: str, embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers, topic = embedded_broker.bootstrap_servers, embedded_topic
    asks, tokens = token_settings(tmp_path), Tokens(SHORT_SECONDS, LONG_SECONDS)
    directories = [tmp_path / name for name in ("one", "other")]
    for directory in directories:
        directory.mkdir()
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving(servers, topic, directories[0], **asks) as one,
        serving(servers, topic, directories[1], **asks) as other,
        line_to(one.run.url) as line,
    ):
        for replica in (one, other):
            await replica.state(State.LIVE)
            replica.http.headers["authorization"] = f"Bearer {Issuer().token()}"
        async with watching(node, kind, line.url, "n/", token=tokens, retryAttempts=0) as received:
            await received.until_is("live")
            async with numbers(servers, topic, "n/") as n:
                await received.until_has(20)
                line.lead_to(other.run.url)
                await received.until_is("reconnecting")
                # Over HTTP, the client would use its old connection again.
                line.cut()
                await received.until_is("live")
                await n.more(20)
            await received.until_has(n.written)
            await until_active(one.http, 0)
            await until_active(other.http, 1)
    assert_each_once(received.numbers, n.written)
    assert received.kinds == {"LIVE", "SET"}
    assert tokens.given == 2
