"""The server: where it listens, and the order in which it stops."""

import asyncio

import httpx
import pytest

from kvs_graphql.errors import BadSetting
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.server import Server, listen, url_of
from kvs_graphql.web import ClientAddresses
from tests.deadline import SECONDS_MAX
from tests.plain import NO_TLS
from tests.runtime.servers import LIMITS, Receive, Scope, Send


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
