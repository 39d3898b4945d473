"""Connections are accepted a few in each round of the event loop, whichever loop that is."""

import asyncio
import os
import resource
import socket
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise

import pytest
import uvloop
from structlog.testing import capture_logs

from tests.runtime.servers import Receive, Scope, Send, client_of, connected, server

ACCEPTED_PER_ROUND = 8
REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


async def answer(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204})
    await send({"type": "http.response.body"})


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_few_connections_are_accepted_in_each_round(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def steps() -> list[int]:
        async with server(answer) as served:
            with ExitStack() as stack:
                # None of them is accepted while this test does not wait.
                clients = [stack.enter_context(connected(served.port)) for _ in range(100)]
                open_after = [0]
                while open_after[-1] < len(clients):
                    await asyncio.sleep(0)
                    open_after.append(len(served.server.server_state.connections))
                loop = asyncio.get_running_loop()
                for client in clients:
                    client.send(REQUEST)
                for client in clients:
                    assert (await loop.sock_recv(client, 1024)).startswith(b"HTTP/1.1 204 ")
        return [after - before for before, after in pairwise(open_after)]

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert max(runner.run(steps())) == ACCEPTED_PER_ROUND


async def test_accepted_connections_send_small_parts_at_once() -> None:
    async with server(answer) as served, client_of(served.port, first=REQUEST) as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = served.server.server_state.connections
        accepted: socket.socket = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_client_that_leaves_before_it_is_accepted_holds_up_no_other() -> None:
    async with server(answer) as served:
        for _ in range(10):
            with connected(served.port) as gone:
                # The connection is reset.
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        async with client_of(served.port, first=REQUEST) as (reader, _):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")


async def test_connections_wait_while_there_is_no_descriptor_and_that_is_logged() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with server(answer) as served:
        with connected(served.port) as client, capture_logs() as logged:
            client.send(REQUEST)
            # The next one would have this number.
            lowest = os.dup(client.fileno())
            os.close(lowest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
            try:
                while not logged:  # noqa: ASYNC110 - a log has no event
                    await asyncio.sleep(0)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            assert logged[0]["event"] == "no connection can be accepted"
            received = await asyncio.get_running_loop().sock_recv(client, 1024)
            assert received.startswith(b"HTTP/1.1 204 ")
