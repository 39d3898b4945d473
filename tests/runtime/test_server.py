"""The server: where it listens, and the order in which it stops."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest

from kvs_graphql.errors import BadSetting
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.server import Server, listen, url_of
from kvs_graphql.web import ClientAddresses
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.plain import NO_TLS
from tests.runtime.servers import LIMITS, Receive, Scope, Send, client_of, connected


async def answer(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answer"})


def test_address_in_use_is_reported_with_its_settings() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with (
            pytest.raises(BadSetting, match=f"^KVS_HOST=127.0.0.1, KVS_PORT={port}: cannot listen there: "),
            listen("127.0.0.1", port),
        ):
            pass


async def test_requests_are_answered_until_the_work_before_a_stop_is_done() -> None:
    stopping, done = asyncio.Event(), asyncio.Event()

    async def on_exit() -> None:
        stopping.set()
        await done.wait()

    with listen("127.0.0.1", 0) as listener:
        server = Server(answer, LIMITS, Metrics(), on_exit, addresses=ClientAddresses(()))
        async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
            served = tasks.create_task(server.serve(sockets=[listener]))
            url = url_of(listener, "http")
            async with httpx.AsyncClient(verify=NO_TLS) as client:
                assert (await client.get(url)).text == "answer"
                server.stop()
                await stopping.wait()
                assert (await client.get(url)).text == "answer"
            done.set()
            await served
        async with httpx.AsyncClient(verify=NO_TLS) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(url)


async def test_connections_that_come_while_the_server_stops_do_not_hold_it_up() -> None:
    with listen("127.0.0.1", 0) as listener, ExitStack() as stack:

        async def on_exit() -> None:
            # The last ones are accepted, but not open yet, when the server asks all to end.
            for _ in range(5):
                stack.enter_context(connected(listener.getsockname()[1]))
                await asyncio.sleep(0)

        limits = replace(LIMITS, shutdown_seconds_max=NEVER_SECONDS)
        server = Server(answer, limits, Metrics(), on_exit, addresses=ClientAddresses(()))
        async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
            async with client_of(listener.getsockname()[1], first=request) as (reader, _):
                await reader.readuntil(b"answer")
                server.stop()
    assert not server.server_state.connections
