"""Limits of one on open subscriptions and WebSockets: one more is refused until another ends."""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import Served, ServedTopic, serving_topic
from tests.transports import (
    MULTIPART,
    MULTIPART_ACCEPT,
    SINGLE_CONNECTION,
    SSE,
    TRANSPORT_WS,
    WEBSOCKET,
    Results,
    Transport,
    open_socket,
    receive,
    send,
    subscribe,
    until_active,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYTHING = "subscription { updates(progress: true) { kind } }"
LIVE = {"data": {"updates": {"kind": "LIVE"}}}
PER_CLIENT = {"code": "LIMIT_EXCEEDED", "limit": 1, "setting": "KVS_SUBSCRIPTIONS_PER_CLIENT_MAX"}
IN_ALL = {"code": "LIMIT_EXCEEDED", "limit": 2, "setting": "KVS_SUBSCRIPTIONS_MAX"}
PER_SOCKET = {"code": "LIMIT_EXCEEDED", "limit": 1, "setting": "KVS_OPERATIONS_PER_WEBSOCKET_MAX"}
SOCKETS = {"code": "LIMIT_EXCEEDED", "limit": 1, "setting": "KVS_WEBSOCKETS_MAX"}
PROXY = "127.0.0.1"


@asynccontextmanager
async def multipart(served: Served, document: str, *, address: str = "") -> AsyncIterator[Results]:
    headers = {"accept": MULTIPART_ACCEPT} | ({"x-forwarded-for": address} if address else {})
    async with served.http.stream("POST", "/graphql", json={"query": document}, headers=headers) as response:

        async def results() -> Results:
            async for line in response.aiter_lines():
                if line.startswith('{"payload"'):
                    yield orjson.loads(line)["payload"]

        async with aclosing(results()) as found:
            yield found


TRANSPORTS: list[Transport] = [WEBSOCKET, SSE, MULTIPART, SINGLE_CONNECTION]


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Transport:
    chosen: Transport = request.param
    return chosen


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedTopic]:
    limits: dict[str, Any] = {
        "subscriptions_per_client_max": 1,
        "subscriptions_max": 2,
        "forwarded_allow_ips": (PROXY,),
    }
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("slots"), **limits) as topic:
        yield topic


@pytest_asyncio.fixture(loop_scope="module")
async def served(topic: ServedTopic) -> Served:
    await until_active(topic.served.http, 0)
    return topic.served


async def refusal(subscription: AbstractAsyncContextManager[Results]) -> dict[str, Any]:
    """Return the extensions of the only error with which a subscription is refused."""
    async with subscription as results:
        (error,) = (await anext(results))["errors"]
        extensions: dict[str, Any] = error["extensions"]
        return extensions


@pytest.mark.parametrize("second", TRANSPORTS)
async def test_client_over_its_limit_is_refused_on_every_transport_until_a_slot_is_free(
    served: Served, transport: Transport, second: Transport
) -> None:
    async with transport(served, EVERYTHING) as results:
        assert await anext(results) == LIVE
        assert await refusal(second(served, EVERYTHING)) == PER_CLIENT
    await until_active(served.http, 0)
    async with second(served, EVERYTHING) as results:
        assert await anext(results) == LIVE


async def test_clients_behind_a_trusted_proxy_have_their_own_limits_and_one_in_all(served: Served) -> None:
    async with (
        multipart(served, EVERYTHING, address="10.0.0.1") as first,
        multipart(served, EVERYTHING, address="10.0.0.2") as second,
    ):
        assert await anext(first) == await anext(second) == LIVE
        assert await refusal(multipart(served, EVERYTHING, address="10.0.0.2")) == PER_CLIENT
        assert await refusal(multipart(served, EVERYTHING, address="10.0.0.3")) == IN_ALL


@pytest.mark.parametrize("trusted", [{}, {"forwarded_allow_ips": ("10.0.0.9",)}], ids=["by default", "another proxy"])
async def test_untrusted_client_cannot_choose_its_address(
    embedded_broker: EmbeddedBroker, tmp_path: Path, trusted: dict[str, Any]
) -> None:
    limits: dict[str, Any] = {"subscriptions_per_client_max": 1, **trusted}
    async with (
        serving_topic(embedded_broker, tmp_path, **limits) as topic,
        multipart(topic.served, EVERYTHING, address="10.0.0.1") as results,
    ):
        assert await anext(results) == LIVE
        assert await refusal(multipart(topic.served, EVERYTHING, address="10.0.0.2")) == PER_CLIENT


async def test_websocket_goes_on_after_a_refused_subscription(served: Served) -> None:
    async with open_socket(served) as socket:
        await subscribe(socket, "1", EVERYTHING)
        assert (await receive(socket))["payload"] == LIVE
        await subscribe(socket, "2", EVERYTHING)
        refused = await receive(socket)
        assert [error["extensions"] for error in refused["payload"]["errors"]] == [PER_CLIENT]
        assert await receive(socket) == {"id": "2", "type": "complete"}
        await send(socket, type="complete", id="1")
        await until_active(served.http, 0)
        await subscribe(socket, "2", EVERYTHING)
        assert (await receive(socket))["payload"] == LIVE


async def test_refusal_names_the_limit_that_is_reached(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    limits: dict[str, Any] = {"operations_per_websocket_max": 1, "subscriptions_max": 1}
    async with serving_topic(embedded_broker, tmp_path, **limits) as topic, open_socket(topic.served) as socket:
        await subscribe(socket, "1", EVERYTHING)
        assert (await receive(socket))["payload"] == LIVE
        await subscribe(socket, "2", EVERYTHING)
        refused = await receive(socket)
        assert (refused["id"], refused["type"]) == ("2", "error")
        assert [error["extensions"] for error in refused["payload"]] == [PER_SOCKET]
        for other in TRANSPORTS:
            assert await refusal(other(topic.served, EVERYTHING)) == IN_ALL | {"limit": 1}


async def test_queries_take_no_slot(served: Served) -> None:
    async with open_socket(served) as socket:
        await subscribe(socket, "1", EVERYTHING)
        assert (await receive(socket))["payload"] == LIVE
        await subscribe(socket, "2", "{ __typename }")
        assert (await receive(socket))["payload"] == {"data": {"__typename": "Query"}}
        assert await served.data("{ __typename }") == {"__typename": "Query"}


async def test_refusals_are_counted_by_their_code(served: Served) -> None:
    async def refused() -> float:
        found = re.search(r'kvs_errors_total{code="LIMIT_EXCEEDED"} (.*)', (await served.http.get("/metrics")).text)
        return float(found.group(1)) if found else 0

    before = await refused()
    async with SSE(served, EVERYTHING) as results:
        await anext(results)
        await refusal(SSE(served, EVERYTHING))
    assert await refused() == before + 1


async def test_websocket_over_the_limit_is_refused_with_a_code_until_another_ends(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with serving_topic(embedded_broker, tmp_path, websockets_max=1) as topic:
        async with open_socket(topic.served):
            with pytest.raises(InvalidStatus) as refused:
                async with open_socket(topic.served):
                    pass
            response = refused.value.response
            assert (response.status_code, response.headers["retry-after"]) == (503, "10")
            assert response.body is not None
            assert [error["extensions"] for error in orjson.loads(response.body)["errors"]] == [SOCKETS]
            assert (await topic.served.http.get("/healthz")).status_code == 200
        async for socket in connect(_address(topic.served), subprotocols=[Subprotocol(TRANSPORT_WS)], proxy=None):
            await socket.close()
            break


def _address(served: Served) -> str:
    return str(httpx.URL(served.run.url).copy_with(scheme="ws", path="/graphql"))
