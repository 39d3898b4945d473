"""The real JavaScript clients of GraphQL, run by one Node.js process."""

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
from filelock import FileLock

from tests.deadline import SECONDS_MAX

HERE = Path(__file__).parent
PACKAGE = HERE.parent.parent / "clients" / "javascript"
INSTALLING = HERE.parent.parent / ".cache" / "npm-clients.lock"
MAJOR_MIN = 20
INSTALL_SECONDS_MAX = 250
_LINE_BYTES_MAX = 2**24


def missing() -> str:
    """Return why the clients cannot run here, or an empty string.

    Installs them first if package-lock.json or clients/javascript changed since the last installation.
    """
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return "no Node.js with npm on the path"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < MAJOR_MIN:
        return f"Node.js {version} is too old"
    INSTALLING.parent.mkdir(exist_ok=True)
    # Several processes of one run start at once.
    with FileLock(INSTALLING):
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


Token = Callable[[bool], str]


@dataclass(frozen=True)
class Event:
    """An event of a subscription: `next`, `error`, `complete`, or the `state` of a resumable one."""

    name: str
    payload: Any = None


class NodeSubscription:
    """One subscription of a client."""

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self._send = send

    async def event(self) -> Event:
        """Wait for the next event."""
        return await self.events.get()

    async def unsubscribe(self) -> None:
        await self._send("unsubscribe")


@dataclass(frozen=True)
class NodeClient:
    """A client of an application, for any number of subscriptions."""

    subscribed: Callable[..., AbstractAsyncContextManager[NodeSubscription]]


class Node:
    """A Node.js process that runs clients."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._subscriptions: dict[str, NodeSubscription] = {}
        self._tokens: dict[str, Token] = {}
        self._names = map(str, count(1))

    async def run(self) -> None:
        """Dispatch the events of the subscriptions until the process ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = orjson.loads(line)
            if token := self._tokens.get(message.get("client")):
                await self._send("token", client=message["client"], token=token(message["payload"]))
            elif subscription := self._subscriptions.get(message.get("subscription")):
                subscription.events.put_nowait(Event(message["event"], message.get("payload")))

    @asynccontextmanager
    async def client(
        self, kind: str, url: str, *, token: Token | None = None, **options: Any
    ) -> AsyncIterator[NodeClient]:
        """Open a client of the npm package `graphql-ws` or `graphql-sse` with these options.

        `token` is asked as the package in clients/javascript asks: whether the last token was refused.
        """
        name = next(self._names)
        if token is not None:
            self._tokens[name] = token
        await self._send("open", client=name, kind=kind, url=f"{url}/graphql", renews=token is not None, **options)
        try:
            yield NodeClient(partial(self._subscribed, name))
        finally:
            await self._send("close", client=name)
            self._tokens.pop(name, None)

    @asynccontextmanager
    async def _subscribed(
        self, client: str, document: str, *, resumable: bool = False, operation: str | None = None, **variables: Any
    ) -> AsyncIterator[NodeSubscription]:
        """Subscribe; `resumable` uses the package in clients/javascript."""
        name = next(self._names)
        subscription = self._subscriptions[name] = NodeSubscription(partial(self._send, subscription=name))
        request = {"query": document, "variables": variables, "operationName": operation}
        await self._send("subscribe", client=client, subscription=name, resumable=resumable, **request)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                yield subscription
        finally:
            await self._send("unsubscribe", subscription=name)
            del self._subscriptions[name]

    async def _send(self, command: str, **arguments: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps({"do": command, **arguments}) + b"\n")
        await self._process.stdin.drain()


@asynccontextmanager
async def running_node(directory: Path) -> AsyncIterator[Node]:
    """Run a process with the clients that are installed in a directory; it ends with the context."""
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
