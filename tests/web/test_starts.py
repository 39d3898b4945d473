"""Clients that come at the same time start one after the other, a few in each round of the event loop."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.applications import open_application
from tests.deadline import SECONDS_MAX
from tests.passes import Passes
from tests.transports import MULTIPART_ACCEPT

CLIENTS = 41
STARTS_PER_ROUND = {"sse": 8, "multipart": 8, "websocket": 16}
ACCEPT = {"sse": "text/event-stream", "multipart": MULTIPART_ACCEPT}


class Client:
    """Subscribes, and notes the round of the first thing that the application sends."""

    def __init__(self, transport: str, number: int) -> None:
        self.transport = transport
        self.first = 0
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        # Each its own document: none finds another one's prepared.
        request = {"query": f'subscription {{ updates(keys: ["{number}"]) {{ key }} }}'}
        if transport == "websocket":
            self._incoming.put_nowait({"type": "websocket.connect"})
            for message in ({"type": "connection_init"}, {"type": "subscribe", "id": "1", "payload": request}):
                self._incoming.put_nowait({"type": "websocket.receive", "text": orjson.dumps(message).decode()})
        else:
            self._incoming.put_nowait({"type": "http.request", "body": orjson.dumps(request), "more_body": False})

    @property
    def scope(self) -> dict[str, Any]:
        common = {"path": "/graphql", "query_string": b"", "client": ("test", 1), "root_path": ""}
        if self.transport == "websocket":
            return {**common, "type": "websocket", "headers": [], "subprotocols": ["graphql-transport-ws"]}
        headers = [(b"content-type", b"application/json"), (b"accept", ACCEPT[self.transport].encode())]
        return {**common, "type": "http", "method": "POST", "headers": headers}

    async def run(self, app: Any, passes: Passes) -> None:
        async def send(_: Any) -> None:
            if not self.first:
                self.first = passes.number

        await app(self.scope, self._incoming.get, send)

    def leave(self) -> None:
        self._incoming.put_nowait({"type": f"{'websocket' if self.transport == 'websocket' else 'http'}.disconnect"})


@pytest.mark.parametrize("transport", STARTS_PER_ROUND)
async def test_a_few_of_many_clients_start_in_each_round(tmp_path: Path, transport: str) -> None:
    async with open_application(tmp_path) as application, asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        passes = Passes()
        clients = [Client(transport, number) for number in range(CLIENTS)]
        for client in clients:
            tasks.create_task(client.run(application.app, passes))
        await application.table.watched_by(CLIENTS)
        passes.close()
        for client in clients:
            client.leave()
    rounds = Counter(client.first for client in clients)
    assert max(rounds.values()) == STARTS_PER_ROUND[transport], "as many as may start, and no more"
    assert [client.first for client in clients] == sorted(rounds.elements()), "in the order in which they came"
