"""A proxy between a client and the service that can reset connections, go silent or drop headers."""

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from urllib.parse import urlsplit

_CHUNK_BYTES_MAX = 2**16
_UPGRADE = re.compile(rb"\r\n(?:Upgrade|Connection): [^\r]*(?=\r\n)", re.IGNORECASE)
_HOST = re.compile(rb"\r\nHost: [^\r]*\r\n")


class Line:
    """The connections through the proxy."""

    def __init__(
        self, service: str, cut_after_bytes: Iterable[int], *, passes_host: bool = True, passes_upgrade: bool = True
    ) -> None:
        self.connections = 0
        self.url = ""
        self._service = urlsplit(service)
        self._cuts = iter(cut_after_bytes)
        self._dead = 0
        self._ends: set[StreamWriter] = set()
        self._passes_host = passes_host
        self._passes_upgrade = passes_upgrade

    def go_dead(self) -> None:
        """Keep the current connections open without forwarding anything."""
        self._dead = self.connections

    def lead_to(self, service: str) -> None:
        """Make the next connections to another service, as a load balancer does."""
        self._service = urlsplit(service)

    def cut(self) -> None:
        """Reset every connection."""
        for end in self._ends:
            end.transport.abort()

    async def connect(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        number, bytes_max = self.connections, next(self._cuts, None)
        from_service, to_service = await asyncio.open_connection(self._service.hostname, self._service.port)
        self._ends |= {writer, to_service}
        with closing(writer), closing(to_service):
            directions = [
                asyncio.create_task(self._forward(number, reader, to_service, None)),
                asyncio.create_task(self._forward(number, from_service, writer, bytes_max)),
            ]
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            for direction in directions:
                direction.cancel()
            # A reset, as after a killed process or a network failure, not an orderly end.
            writer.transport.abort()
        self._ends -= {writer, to_service}

    async def _forward(self, number: int, reader: StreamReader, writer: StreamWriter, bytes_max: int | None) -> None:
        forwarded = 0
        while chunk := await reader.read(_CHUNK_BYTES_MAX):
            if number <= self._dead:
                continue
            if bytes_max is not None and forwarded + len(chunk) >= bytes_max:
                writer.write(chunk[: bytes_max - forwarded])
                await writer.drain()
                return
            forwarded += len(chunk)
            if not self._passes_host:
                chunk = _HOST.sub(b"\\r\\nHost: upstream\\r\\n", chunk)
            if not self._passes_upgrade:
                chunk = _UPGRADE.sub(b"", chunk)
            writer.write(chunk)
            await writer.drain()


@asynccontextmanager
async def line_to(
    service: str, cut_after_bytes: Iterable[int] = (), *, passes_host: bool = True, passes_upgrade: bool = True
) -> AsyncIterator[Line]:
    """Run a proxy to the service; reset its first connections after these numbers of bytes to the client."""
    line = Line(service, cut_after_bytes, passes_host=passes_host, passes_upgrade=passes_upgrade)
    async with await asyncio.start_server(line.connect, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        line.url = f"http://{host}:{port}"
        try:
            yield line
        finally:
            line.cut()


async def refuse_connection(port: int) -> None:
    """Listen on a port, and return once a connection was attempted and reset."""
    refused = asyncio.Event()

    async def refuse(_: StreamReader, writer: StreamWriter) -> None:
        writer.transport.abort()
        refused.set()

    async with await asyncio.start_server(refuse, "127.0.0.1", port):
        await refused.wait()
