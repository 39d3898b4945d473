"""Answers that nobody reads have a budget over all connections; beyond it, the slowest clients are dropped."""

import asyncio
import socket
from collections import Counter
from contextlib import AsyncExitStack, suppress
from typing import Any, cast

from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from kvs_graphql.metrics import Metrics
from kvs_graphql.web.direct import MessageWriter
from tests.runtime.servers import Receive, Scope, Send, client_of, connected, server, writer_of

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
ANSWER_BYTES = 20_000_000
CLIENTS = 6


def dropped(metrics: Metrics) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if sample.name == "kvs_clients_disconnected_total" and sample.labels["reason"] == "unread"
    )


async def answer(_: Scope, __: Receive, send: Send) -> None:
    headers = [(b"content-length", b"%d" % ANSWER_BYTES)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": bytes(ANSWER_BYTES)})


async def read_exactly(connection: socket.socket, number: int) -> int:
    """Read so many bytes, or as many as there are."""
    buffer, read = bytearray(2**16), 0
    while read < number:
        view = memoryview(buffer)[: number - read]
        received = await asyncio.get_running_loop().sock_recv_into(connection, view)
        if not received:
            break
        read += received
    return read


async def test_slowest_readers_are_dropped_and_others_get_their_answers() -> None:
    metrics = Metrics()
    limits: dict[str, Any] = {"unread_bytes_max": 3 * ANSWER_BYTES, "send_buffer_bytes_max": 2**16}
    async with server(answer, metrics=metrics, **limits) as served, AsyncExitStack() as held:

        async def ask() -> socket.socket:
            client = held.enter_context(connected(served.port, receive_buffer_bytes=2**16))
            await asyncio.get_running_loop().sock_sendall(client, GET)
            assert await read_exactly(client, 1)
            return client

        honest = await ask()
        half = await read_exactly(honest, ANSWER_BYTES // 2)
        silent = [await ask() for _ in range(CLIENTS)]
        assert half + await read_exactly(honest, ANSWER_BYTES) > ANSWER_BYTES
        # The last one to ask is within the budget.
        assert await read_exactly(silent[-1], ANSWER_BYTES) == ANSWER_BYTES
        assert CLIENTS - 3 <= dropped(metrics) <= CLIENTS - 2


async def test_answers_that_wait_on_one_websocket_count_together() -> None:
    metrics = Metrics()
    message, outcomes = bytes(ANSWER_BYTES // 10), Counter[bool]()

    async def talk(scope: Scope, _: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        writer = cast("MessageWriter", writer_of(scope))

        async def say() -> None:
            while (flush := writer.write(message)) is None:
                if not await writer.room(len(message)):
                    outcomes[False] += 1
                    return
            flush()
            outcomes[True] += 1

        await asyncio.gather(*(say() for _ in range(CLIENTS)))

    for answers, sent in ((CLIENTS, CLIENTS), (CLIENTS - 2, 1)):
        outcomes.clear()
        limits: dict[str, Any] = {"unread_bytes_max": answers * len(message), "send_buffer_bytes_max": 2**16}
        async with server(talk, metrics=metrics, **limits) as served:
            with connected(served.port, receive_buffer_bytes=2**16) as connection:
                async with connect("ws://localhost", sock=connection, max_size=None, max_queue=1, proxy=None) as client:
                    with suppress(ConnectionClosed):
                        for _ in range(CLIENTS):
                            assert len(await client.recv()) == len(message)
        assert outcomes[True] == sent
        assert outcomes.total() == CLIENTS
    assert dropped(metrics) == 1


async def test_single_answer_may_exceed_the_budget() -> None:
    metrics = Metrics()
    limits: dict[str, Any] = {"unread_bytes_max": 1, "send_buffer_bytes_max": 2**16}
    async with server(answer, metrics=metrics, **limits) as served:
        for _ in range(2):
            async with client_of(served.port) as (reader, client):
                client.write(GET)
                await reader.readuntil(b"\r\n\r\n")
                assert len(await reader.readexactly(ANSWER_BYTES)) == ANSWER_BYTES
    assert dropped(metrics) == 0
