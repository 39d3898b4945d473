"""A client of the matrix as a program in any language.

The program is started with the URL of the service's GraphQL endpoint as its last argument. It reads commands and writes
answers as lines of JSON, until its standard input ends. A value is that of an entry as text, null if there is none.

    {"do": "query", "key": K}               → {"answer": value}
    {"do": "set", "key": K, "value": V}     → {"answer": the value of the entry as written}, by the mutation `set`
    {"do": "delete", "key": K}              → {"answer": null}, by the mutation `delete`
    {"do": "cached", "key": K}              → {"answer": value} as its cache has it, without the service
    {"do": "subscribe", "transport": T, "key": K, "id": I}   → {"id": I, "kind": kind, "value": value} for each update
    {"do": "unsubscribe", "id": I}

`set` and `delete` are the capability "mutation", `cached` is "delete in the cache". `subscribe` watches
`updates(keys: [K], progress: true)` over "WebSocket", "SSE" or "multipart". A program that can resume does so
`after` the cursor of the last update whenever the connection is lost, over the first of its transports.
"""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import orjson

from tests.clients.client import Capability, Client
from tests.deadline import SECONDS_MAX

Update = tuple[str, str | None]
MARKERS = ("LIVE", "PROGRESS")


class Updates:
    """The updates of one subscription."""

    def __init__(self, program: "Program", identity: int) -> None:
        self._program = program
        self._identity = identity

    async def next(self) -> Update:
        """Return the kind and the value of the next update."""
        message = await self._program.update(self._identity)
        return message["kind"], message["value"]

    async def next_change(self) -> Update:
        """Return the next update that is no marker."""
        while (update := await self.next())[0] in MARKERS:
            pass
        return update


class Program:
    """A running program."""

    def __init__(self, client: Client, process: Process) -> None:
        self.client = client
        self._process = process
        self._identities = count(1)
        self._updates: dict[int, deque[dict[str, Any]]] = defaultdict(deque)

    async def answer(self, command: str, **arguments: Any) -> Any:
        """Send a command, and return its answer."""
        await self._send(command, **arguments)
        while "answer" not in (message := await self._message()):
            self._updates[message["id"]].append(message)
        return message["answer"]

    async def query(self, key: str) -> str | None:
        """Return the value that the service has."""
        value: str | None = await self.answer("query", key=key)
        return value

    async def cached(self, key: str) -> str | None:
        """Return the value that the client's cache has, without the service."""
        value: str | None = await self.answer("cached", key=key)
        return value

    async def set(self, key: str, value: str) -> str | None:
        """Return the value of the entry as written."""
        written: str | None = await self.answer("set", key=key, value=value)
        return written

    async def delete(self, key: str) -> None:
        await self.answer("delete", key=key)

    @asynccontextmanager
    async def subscribed(self, transport: Capability, key: str) -> AsyncIterator[Updates]:
        """Watch a key; the subscription has begun."""
        identity = next(self._identities)
        await self._send("subscribe", id=identity, transport=transport, key=key)
        updates = Updates(self, identity)
        assert await updates.next() == ("LIVE", None)
        yield updates
        await self._send("unsubscribe", id=identity)

    async def update(self, identity: int) -> dict[str, Any]:
        """Return the next update of a subscription."""
        updates = self._updates[identity]
        while not updates:
            message = await self._message()
            self._updates[message["id"]].append(message)
        return updates.popleft()

    async def _send(self, command: str, **arguments: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps({"do": command, **arguments}) + b"\n")
        await self._process.stdin.drain()

    async def _message(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(SECONDS_MAX):
            line = await self._process.stdout.readline()
        assert line, f"{self.client.name} has ended"
        message: dict[str, Any] = orjson.loads(line)
        return message


@asynccontextmanager
async def running_program(client: Client, url: str, *arguments: str) -> AsyncIterator[Program]:
    """Run a client's program until the context ends."""
    process = await asyncio.create_subprocess_exec(
        *client.command, *arguments, f"{url}/graphql", cwd=client.directory, stdin=PIPE, stdout=PIPE
    )
    try:
        yield Program(client, process)
    finally:
        await process.communicate(b"")  # Closes stdin, which ends the process.
