"""Node.js with the real JavaScript clients of GraphQL: what it needs, and one process of it that runs them."""

import asyncio
import shutil
import subprocess
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import orjson

HERE = Path(__file__).parent
PACKAGE = HERE.parent.parent / "clients" / "javascript"
MAJOR_MIN = 20
INSTALL_SECONDS_MAX = 100
SECONDS_MAX = 30.0
_LINE_BYTES_MAX = 2**24


def missing() -> str:
    """Why the clients cannot be run here; empty when they can.

    They are installed where they are not yet as package-lock.json and clients/javascript have them.
    """
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return "no Node.js with npm on the path"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < MAJOR_MIN:
        return f"Node.js {version} is too old"
    return "" if _is_installed() else _install()


def _is_installed() -> bool:
    installed = HERE / "node_modules" / ".package-lock.json"
    sources = [HERE / "package-lock.json", PACKAGE / "package.json", *PACKAGE.glob("src/*")]
    return installed.is_file() and installed.stat().st_mtime > max(path.stat().st_mtime for path in sources)


def _install() -> str:
    command = ["npm", "ci", "--no-audit", "--no-fund"]
    try:
        subprocess.run(command, cwd=HERE, check=True, capture_output=True, timeout=INSTALL_SECONDS_MAX)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{error} in tests/clients"
    return ""


@dataclass(frozen=True)
class Event:
    """What a subscription was told: `next`, `error`, `complete`, or the `state` of a resumable one."""

    name: str
    told: Any = None


class NodeSubscription:
    """A subscription of a client."""

    def __init__(self, tell: Callable[[str], Awaitable[None]]) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self._tell = tell

    async def event(self) -> Event:
        """What it is told next."""
        return await self.events.get()

    async def unsubscribe(self) -> None:
        await self._tell("unsubscribe")


@dataclass(frozen=True)
class NodeClient:
    """A client as an application has one, for one subscription or many."""

    subscribed: Callable[..., AbstractAsyncContextManager[NodeSubscription]]


class Node:
    """A Node.js process that runs clients."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._subscriptions: dict[str, NodeSubscription] = {}
        self._names = map(str, count(1))

    async def run(self) -> None:
        """Hand on what the clients are told, for as long as the process runs."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = orjson.loads(line)
            if subscription := self._subscriptions.get(said["subscription"]):
                subscription.events.put_nowait(Event(said["event"], said.get("told")))

    @asynccontextmanager
    async def client(self, kind: str, url: str, **options: Any) -> AsyncIterator[NodeClient]:
        """A client of that npm package, `graphql-ws` or `graphql-sse`, with those options of its own."""
        name = next(self._names)
        await self._tell("open", client=name, kind=kind, url=f"{url}/graphql", **options)
        try:
            yield NodeClient(partial(self._subscribed, name))
        finally:
            await self._tell("close", client=name)

    @asynccontextmanager
    async def _subscribed(
        self, client: str, document: str, *, resumable: bool = False, operation: str | None = None, **variables: Any
    ) -> AsyncIterator[NodeSubscription]:
        """`resumable`: by the helper of clients/javascript."""
        name = next(self._names)
        subscription = self._subscriptions[name] = NodeSubscription(partial(self._tell, subscription=name))
        request = {"query": document, "variables": variables, "operationName": operation}
        await self._tell("subscribe", client=client, subscription=name, resumable=resumable, **request)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                yield subscription
        finally:
            await self._tell("unsubscribe", subscription=name)
            del self._subscriptions[name]

    async def _tell(self, command: str, **arguments: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps({"do": command, **arguments}) + b"\n")
        await self._process.stdin.drain()


@asynccontextmanager
async def running_node(directory: Path) -> AsyncIterator[Node]:
    """A process with the clients that are installed there; whatever they left open ends with it."""
    process = await asyncio.create_subprocess_exec(
        "node", "driver.js", cwd=directory, stdin=PIPE, stdout=PIPE, limit=_LINE_BYTES_MAX
    )
    assert process.stdin is not None
    node = Node(process)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(node.run())
        try:
            yield node
        finally:
            process.stdin.close()
            await process.wait()
