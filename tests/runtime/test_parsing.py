"""Clients that send at the same moment are parsed in turns, and so what they ask for begins in turns."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from socket import SO_LINGER, SOL_SOCKET, socket

import pytest

from kvs_graphql.runtime.http_connections import LimitedHttpConnection
from kvs_graphql.runtime.parsing import SLICE_BYTES
from tests.passes import Passes
from tests.runtime.servers import Receive, Scope, Send, connected, server

AT_ONCE_MAX, OF_ONE_CLIENT_MAX = 64, 32
CROWD, OTHER = "127.0.0.2", "127.0.0.1"
REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
LARGE_REQUEST = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 8192\r\n\r\n" + bytes(8192)


class Application:
    """Answers every request, and notes whose it was, in which round of the event loop."""

    def __init__(self) -> None:
        self.began: list[tuple[str, int]] = []
        self.passes = Passes()
        self.round_seconds = 0.0
        """How long the first request of a round holds it up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.round_seconds and self.began[-1:] != [(scope["client"][0], self.passes.number)]:
            time.sleep(self.round_seconds)  # noqa: ASYNC251 - it holds up the round
        self.began.append((scope["client"][0], self.passes.number))
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    @property
    def clients(self) -> list[str]:
        return [client for client, _ in self.began]

    @property
    def first(self) -> list[str]:
        """The clients whose requests began in the first round in which any did."""
        return [client for client, number in self.began if number == self.began[0][1]]


@contextmanager
def opened(port: int, *addresses: str) -> Iterator[list[socket]]:
    """One connection from each address."""
    with ExitStack() as stack:
        yield [stack.enter_context(connected(port, address=address)) for address in addresses]


def send_at_once(connections: list[socket], request: bytes = REQUEST) -> None:
    """Send on all of them before the server's event loop has its next round."""
    for connection in connections:
        connection.send(request)


async def answered(connections: list[socket]) -> None:
    loop = asyncio.get_running_loop()
    for connection in connections:
        assert (await loop.sock_recv(connection, 1024)).startswith(b"HTTP/1.1 204 ")


async def accepted(connections: list[socket]) -> None:
    """Return once the server has them: each was answered."""
    send_at_once(connections)
    await answered(connections)


async def test_client_that_sends_little_waits_for_no_crowd_of_another_client() -> None:
    application = Application()
    async with server(application) as served:
        with opened(served.port, *[CROWD] * 60, OTHER) as connections:
            await accepted(connections)
            application.began.clear()
            send_at_once(connections)
            await answered(connections)
    application.passes.close()
    assert application.first == [CROWD] * OF_ONE_CLIENT_MAX + [OTHER]
    assert application.clients.count(CROWD) == 60, "the crowd is served, too"


async def test_clients_that_send_much_take_turns() -> None:
    application = Application()
    async with server(application) as served:
        with opened(served.port, OTHER, *[CROWD] * 60, OTHER) as connections:
            await accepted(connections)
            application.began.clear()
            send_at_once(connections, LARGE_REQUEST)
            await answered(connections)
    application.passes.close()
    assert sorted(application.clients[:4]) == [OTHER, OTHER, CROWD, CROWD]


async def test_requests_of_many_clients_begin_a_few_in_each_round() -> None:
    application = Application()
    async with server(application, connections_max=1000) as served:
        with opened(served.port, *[f"127.0.0.{number}" for number in range(1, 101)]) as connections:
            await accepted(connections)
            application.began.clear()
            send_at_once(connections)
            await answered(connections)
    application.passes.close()
    assert len(application.first) == AT_ONCE_MAX
    assert len(application.clients) == len(connections), "the others begin later"


async def test_less_is_begun_in_each_round_while_rounds_are_long() -> None:
    application = Application()
    async with server(application, connections_max=1000, connections_per_client_max=1000) as served:
        with opened(served.port, *[CROWD] * 300) as connections:
            await accepted(connections)
            application.round_seconds = 0.011
            send_at_once(connections)
            await answered(connections)
            application.round_seconds = 0.0
            application.began.clear()
            send_at_once(connections[:50])
            await answered(connections[:50])
            assert len(application.first) <= OF_ONE_CLIENT_MAX // 2
            for connection in connections[:20]:
                await accepted([connection])
            application.began.clear()
            send_at_once(connections[:50])
            await answered(connections[:50])
    application.passes.close()
    assert len(application.first) == OF_ONE_CLIENT_MAX, "as many as before"


async def test_much_of_a_client_that_has_gone_is_parsed_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    parse, sizes = LimitedHttpConnection.parse, list[int]()

    def noting(connection: LimitedHttpConnection, data: bytes) -> None:
        sizes.append(len(data))
        parse(connection, data)

    monkeypatch.setattr(LimitedHttpConnection, "parse", noting)
    async with server(Application()) as served:
        with connected(served.port) as gone:
            # The connection is reset before it is accepted: so nobody knows of which address it was.
            gone.setsockopt(SOL_SOCKET, SO_LINGER, b"\1\0\0\0\0\0\0\0")
            gone.send(REQUEST * 1000)
        with opened(served.port, OTHER) as connections:
            await accepted(connections)
    assert sizes
    assert max(sizes) <= SLICE_BYTES
