"""Clients that come at the same time start one after the other, a few in each round of the event loop."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.executor import Request
from tests.applications import open_application
from tests.deadline import SECONDS_MAX
from tests.passes import Passes
from tests.web.calls import leaving, streaming_scope, subscribing

CLIENTS = 41
STARTS_PER_ROUND = {"sse": 8, "multipart": 8, "websocket": 16}


class Client:
    """Subscribes, and notes the round of the first thing that the application sends."""

    def __init__(self, transport: str, number: int) -> None:
        self.transport = transport
        self.document = f'subscription {{ updates(keys: ["{number}"]) {{ key }} }}'
        self.first = 0
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for message in subscribing(transport, self.document):
            self._incoming.put_nowait(message)

    async def run(self, app: Any, passes: Passes) -> None:
        async def send(_: Any) -> None:
            if not self.first:
                self.first = passes.number

        await app(streaming_scope(self.transport), self._incoming.get, send)

    def leave(self) -> None:
        self._incoming.put_nowait(leaving(self.transport))


@pytest.mark.parametrize("transport", STARTS_PER_ROUND)
async def test_a_few_of_many_clients_start_in_each_round(tmp_path: Path, transport: str) -> None:
    async with open_application(tmp_path) as application, asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        passes = Passes()
        clients = [Client(transport, number) for number in range(CLIENTS)]
        for client in clients:
            # New documents have turns of their own.
            application.executor.prepare(Request(client.document))
            tasks.create_task(client.run(application.app, passes))
        await application.table.watched_by(CLIENTS)
        passes.close()
        for client in clients:
            client.leave()
    rounds = Counter(client.first for client in clients)
    assert max(rounds.values()) == STARTS_PER_ROUND[transport], "as many as may start, and no more"
    assert [client.first for client in clients] == sorted(rounds.elements()), "in the order in which they came"
