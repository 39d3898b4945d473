"""A line between a client and the service that can be cut, and that can go dead without a word."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from urllib.parse import urlsplit

_CHUNK_BYTES_MAX = 2**16


class Line:
    """All connections through it."""

    def __init__(self, service: str, cut_after_bytes: Iterable[int]) -> None:
        self.connections = 0
        self.url = ""
        self._service = urlsplit(service)
        self._cuts = iter(cut_after_bytes)
        self._dead = 0
        self._ends: set[StreamWriter] = set()

    def go_dead(self) -> None:
        """The connections there are stay open, and carry nothing from now on."""
        self._dead = self.connections

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
            ways = [
                asyncio.create_task(self._carry(number, reader, to_service, None)),
                asyncio.create_task(self._carry(number, from_service, writer, bytes_max)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            # A reset, not an end: that is how a killed process or a dropped network looks.
            writer.transport.abort()
        self._ends -= {writer, to_service}

    async def _carry(self, number: int, reader: StreamReader, writer: StreamWriter, bytes_max: int | None) -> None:
        carried = 0
        while chunk := await reader.read(_CHUNK_BYTES_MAX):
            if number <= self._dead:
                continue
            if bytes_max is not None and carried + len(chunk) >= bytes_max:
                writer.write(chunk[: bytes_max - carried])
                await writer.drain()
                return
            carried += len(chunk)
            writer.write(chunk)
            await writer.drain()


@asynccontextmanager
async def line_to(service: str, cut_after_bytes: Iterable[int] = ()) -> AsyncIterator[Line]:
    """A line to the service; of its connections, the first ones are cut after so many bytes to the client."""
    line = Line(service, cut_after_bytes)
    async with await asyncio.start_server(line.connect, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        line.url = f"http://{host}:{port}"
        try:
            yield line
        finally:
            line.cut()
