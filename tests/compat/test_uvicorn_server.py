"""Fails when an upgrade of uvicorn changes what `kvs_graphql.compat.uvicorn_server` relies on."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from kvs_graphql.compat.uvicorn import HttpConnection
from kvs_graphql.compat.uvicorn_server import Server
from tests.compat.servers import idle, serving
from tests.plain import NO_TLS

MEND = "mend kvs_graphql/compat/uvicorn_server.py"


async def test_server_stops_in_our_order() -> None:
    calls: list[str] = []

    class Observed(Server):
        async def before_shutdown(self) -> None:
            calls.append("before shutdown" if self.stopping else "too early")

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            calls.append("signals captured")
            with super().capture_signals():
                yield

    ended = asyncio.Event()

    class Ended(HttpConnection):
        def shutdown(self) -> None:
            calls.append("connection")
            super().shutdown()
            ended.set()

    async with serving(idle, Ended, server=Observed) as (server, address), httpx.AsyncClient(verify=NO_TLS) as client:
        await client.get(f"http://{address}/")
        server.stop()
        await ended.wait()
    assert calls == ["signals captured", "before shutdown", "connection"], (
        f"uvicorn's server no longer stops by `capture_signals`, `shutdown` and then each connection's: {MEND}"
    )


@pytest.mark.parametrize("name", ["serve", "shutdown", "capture_signals", "handle_exit"])
def test_uvicorns_server_has_the_names_in_use(name: str) -> None:
    assert hasattr(uvicorn.Server, name), f"uvicorn's Server has no `{name}`: {MEND}"


@pytest.mark.parametrize("name", ["before_shutdown", "stopping", "stop"])
def test_uvicorns_server_has_no_names_of_this_project(name: str) -> None:
    assert not hasattr(uvicorn.Server, name), f"uvicorn's Server now has its own `{name}`: {MEND}"
