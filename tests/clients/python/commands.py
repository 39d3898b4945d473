"""Obeys the commands of tests/clients/program.py with a Python client."""

import asyncio
import json
import sys
from asyncio import StreamReader, StreamReaderProtocol, Task
from collections.abc import AsyncIterator
from typing import Any, Protocol


class Operations(Protocol):
    """What a client can do. An update is its kind and its entry's value."""

    async def query(self, key: str) -> str | None: ...

    async def set(self, key: str, value: str) -> str | None: ...

    async def delete(self, key: str) -> None: ...

    def updates(self, key: str) -> AsyncIterator[tuple[str, str | None]]: ...


async def obey(operations: Operations) -> None:
    """Obey commands until the standard input ends."""
    reader = StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: StreamReaderProtocol(reader), sys.stdin)
    subscriptions: dict[int, Task[None]] = {}
    async for line in reader:
        command = json.loads(line)
        match command.pop("do"):
            case "query" | "set" | "delete" as name:
                _write({"answer": await getattr(operations, name)(**command)})
            case "subscribe":
                identity = command["id"]
                subscriptions[identity] = asyncio.create_task(_follow(operations, identity, command["key"]))
            case "unsubscribe":
                subscriptions.pop(command["id"]).cancel()


async def _follow(operations: Operations, identity: int, key: str) -> None:
    async for kind, value in operations.updates(key):
        _write({"id": identity, "kind": kind, "value": value})


def _write(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    sys.stdout.buffer.flush()
