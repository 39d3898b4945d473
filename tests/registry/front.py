"""A small HTTP server before a registry, which passes requests on, answers them itself, or misbehaves."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ssl import SSLContext

import httpx

from tests.deadline import SECONDS_MAX
from tests.plain import NO_TLS
from tests.ports import HOST

Behaviour = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


class Request:
    """A request as it arrived: `path` with its query, `headers` by their names in small letters, and the body."""

    def __init__(self, head: bytes, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.method, self.path, _ = first.split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.body = b""

    async def read_body(self) -> None:
        """Read as much as its head says."""
        self.body = await self._reader.readexactly(int(self.headers.get("content-length", 0)))

    async def abandoned(self) -> None:
        """Wait until the client closes the connection."""
        await self._reader.read()


class Front:
    """The server. It counts requests; `behave` says what it does with those that begin from then on."""

    def __init__(self, upstream: str | None) -> None:
        self.requests: list[Request] = []
        self.url = ""
        self._upstream = None if upstream is None else upstream.rstrip("/")
        self._http = httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=SECONDS_MAX)
        self._behaviour: Behaviour | None = None
        self._arrived = asyncio.Condition()
        self._tasks = set[asyncio.Task[None]]()

    def behave(self, behaviour: Behaviour | None = None) -> None:
        """Do this with requests; without an argument, pass them on."""
        self._behaviour = behaviour

    async def seen(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        async with self._arrived, asyncio.timeout(SECONDS_MAX):
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request of a connection, and close it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            request = Request(await reader.readuntil(b"\r\n\r\n"), reader)
            await request.read_body()
            self.requests.append(request)
            async with self._arrived:
                self._arrived.notify_all()
            await (self._behaviour or self._forward)(request, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def close(self) -> None:
        """End what it does."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    async def _forward(self, request: Request, writer: asyncio.StreamWriter) -> None:
        assert self._upstream is not None, f"nothing answers {request.path}"
        found = await self._http.request(request.method, f"{self._upstream}{request.path}", content=request.body)
        _write(writer, found.status_code, found.content)


def answering(status: int, body: object = None) -> Behaviour:
    """Answer with a status, and with a body as JSON, or as it is if it is bytes."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        _write(writer, status, body if isinstance(body, bytes) else json.dumps(body).encode())

    return behave


def answering_by_path(answers: dict[str, object]) -> Behaviour:
    """Answer paths, without their queries, with these bodies, and others as a registry does what it does not have."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        path = request.path.partition("?")[0]
        if path in answers:
            await answering(200, answers[path])(request, writer)
        else:
            await answering(404, {"error_code": 40403, "message": "not found"})(request, writer)

    return behave


def sending(data: bytes) -> Behaviour:
    """Send bytes that may be anything, and close."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return behave


async def hang(request: Request, _: asyncio.StreamWriter) -> None:
    """Keep the connection open, and never answer."""
    await request.abandoned()


async def drip(_: Request, writer: asyncio.StreamWriter) -> None:
    """Send a little at a time, for ever, so that no pause is long."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def flood(_: Request, writer: asyncio.StreamWriter) -> None:
    """Send as fast as it is read, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        writer.write(b" " * 65_536)
        await writer.drain()


@asynccontextmanager
async def front_of(upstream: str | None = None, tls: SSLContext | None = None) -> AsyncIterator[Front]:
    """Yield a server before the registry at a URL."""
    front = Front(upstream)
    server = await asyncio.start_server(front.serve, HOST, 0, ssl=tls)
    front.url = f"{'http' if tls is None else 'https'}://{HOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield front
    finally:
        server.close()
        await front.close()


def _write(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
