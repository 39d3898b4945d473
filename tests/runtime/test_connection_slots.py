"""Limits of one on connections: one more is refused, but may ask for the service's health."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from kvs_graphql.runtime.connection_slots import RESERVE_MAX
from tests.deadline import SECONDS_MAX
from tests.runtime.servers import Client, Receive, Scope, Send, client_of, refused, server

ANOTHER = "127.0.0.2"
IN_ALL = {"code": "LIMIT_EXCEEDED", "limit": 1, "setting": "KVS_CONNECTIONS_MAX"}
PER_CLIENT = {"code": "LIMIT_EXCEEDED", "limit": 1, "setting": "KVS_CONNECTIONS_PER_CLIENT_MAX"}


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": b"a"})


async def answered(client: Client) -> None:
    """Make sure that the connection has its slot."""
    reader, writer = client
    writer.write(get("/"))
    assert (await reader.readuntil(b"\r\n\r\na")).startswith(b"HTTP/1.1 200 ")


async def answer_to(port: int, path: str, address: str = "127.0.0.1") -> bytes:
    """Return the whole answer on a connection of its own, which the server has to close."""
    async with asyncio.timeout(SECONDS_MAX), client_of(port, address=address) as (reader, client):
        client.write(get(path))
        return await reader.read()


async def until_served(port: int, address: str = "127.0.0.1") -> None:
    """Return once a connection gets a slot: the server sees the end of another one later than its client."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            async with client_of(port, address=address) as (reader, client):
                client.write(get("/"))
                if (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 "):
                    return


@pytest.mark.parametrize("limit", ["connections_max", "connections_per_client_max"])
async def test_connection_over_a_limit_may_only_ask_for_health_until_another_ends(limit: str) -> None:
    limits: dict[str, Any] = {limit: 1}
    async with server(application, **limits) as served:
        async with client_of(served.port) as first:
            await answered(first)
            answer = await answer_to(served.port, "/graphql?query={__typename}")
            assert refused(answer) == (503, IN_ALL if limit == "connections_max" else PER_CLIENT)
            assert b"retry-after: 10\r\n" in answer
            for path in ("/healthz", "/readyz", "/readyz?probe"):
                healthy = await answer_to(served.port, path)
                assert healthy.startswith(b"HTTP/1.1 200 ")
                assert b"connection: close" in healthy
            await answered(first)
        await until_served(served.port)


async def test_other_clients_have_slots_of_their_own() -> None:
    async with server(application, connections_per_client_max=1) as served, client_of(served.port) as first:
        await answered(first)
        async with client_of(served.port, address=ANOTHER) as other:
            await answered(other)
            assert refused(await answer_to(served.port, "/", ANOTHER)) == (503, PER_CLIENT)
        await until_served(served.port, ANOTHER)


async def test_websocket_is_a_connection_and_counts_once() -> None:
    async with server(application, connections_max=2, connections_per_client_max=2) as served:
        url = f"ws://127.0.0.1:{served.port}/"
        async with connect(url, proxy=None), connect(url, proxy=None) as last:
            assert refused(await answer_to(served.port, "/"))[0] == 503
            with pytest.raises(InvalidStatus) as over:
                await connect(url, proxy=None)
            assert over.value.response.status_code == 503
            await last.close()
            await until_served(served.port)
        await until_served(served.port)


async def test_clients_of_a_trusted_proxy_have_their_own_limits_on_websockets() -> None:
    async with server(application, connections_per_client_max=1, trusted=("127.0.0.1",)) as served:
        url = f"ws://127.0.0.1:{served.port}/"
        one, other = ({"x-forwarded-for": f"invented, 10.0.0.{last}"} for last in (1, 2))
        async with client_of(served.port) as first, client_of(served.port) as second:
            await answered(first)
            await answered(second)
            async with (
                connect(url, proxy=None, additional_headers=one),
                connect(url, proxy=None, additional_headers=other),
            ):
                with pytest.raises(InvalidStatus) as over:
                    await connect(url, proxy=None, additional_headers=other)
        response = over.value.response
        assert response.body is not None
        (error,) = orjson.loads(response.body)["errors"]
        assert (response.status_code, error["extensions"]) == (503, PER_CLIENT)
        async for client in connect(url, proxy=None, additional_headers=other):
            await client.close()
            break


async def test_clients_that_fill_the_reserve_do_not_hide_the_service() -> None:
    async with (
        server(application, connections_max=1) as served,
        client_of(served.port) as first,
        AsyncExitStack() as held,
    ):
        await answered(first)
        silent = [await held.enter_async_context(client_of(served.port)) for _ in range(2 * RESERVE_MAX)]
        assert (await answer_to(served.port, "/readyz")).startswith(b"HTTP/1.1 200 ")
        # The oldest had to leave, and the youngest are still there.
        for reader, _ in silent[:RESERVE_MAX]:
            assert await reader.read() == b""
        youngest = silent[-1]
        youngest[1].write(get("/healthz"))
        assert (await youngest[0].read()).startswith(b"HTTP/1.1 200 ")
