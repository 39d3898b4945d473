"""A TCP proxy in front of a broker. It can lose, delay or change the broker's responses to Produce requests."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from tests.ports import HOST

_PRODUCE, _METADATA = 0, 3
# A Produce response of version 2 to 7 for one partition: correlation id, number of topics, topic name, number of
# partitions, partition, error code, base offset, and more.
_CORRELATION_ID = struct.Struct(">i")
_SIZE = struct.Struct(">i")
_NAME_LENGTH_AT = 8
_OUTCOME = struct.Struct(">hq")


class ProduceResponse:
    """The response to a Produce request with one batch."""

    def __init__(self, frame: bytes) -> None:
        (name_length,) = struct.unpack_from(">h", frame, _NAME_LENGTH_AT)
        self._outcome_at = _NAME_LENGTH_AT + 2 + name_length + 4 + 4
        self.frame = frame
        self.error_code, self.base_offset = _OUTCOME.unpack_from(frame, self._outcome_at)

    def changed(self, error_code: int, base_offset: int) -> bytes:
        """Return the response's frame with another outcome."""
        frame = bytearray(self.frame)
        _OUTCOME.pack_into(frame, self._outcome_at, error_code, base_offset)
        return bytes(frame)


OnProduceResponse = Callable[[ProduceResponse], Awaitable[bytes | None]]
"""Returns the frame to send to the client, or None to close its connection instead."""


@asynccontextmanager
async def proxied(bootstrap_servers: str, on_produce_response: OnProduceResponse) -> AsyncIterator[str]:
    """Run a proxy in front of a broker, and give its address.

    The proxy replaces the broker's address in metadata by its own, so clients never bypass it.
    """
    broker_port = int(bootstrap_servers.split(":")[1])
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        broker_reader, broker_writer = await asyncio.open_connection(HOST, broker_port)
        requests: dict[int, int] = {}
        try:
            await _until_first_ends(
                _forward_requests(reader, broker_writer, requests),
                _forward_responses(broker_reader, writer, requests, (broker_port, port), on_produce_response),
            )
        finally:
            writer.close()
            broker_writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(serve(reader, writer))
        connections.add(connection)
        connection.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, HOST, 0)
    port: int = server.sockets[0].getsockname()[1]
    try:
        yield f"{HOST}:{port}"
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _until_first_ends(*forwarding: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(direction) for direction in forwarding]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _forward_requests(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: dict[int, int]
) -> None:
    """Forward requests, and note the API key of each correlation id."""
    while (frame := await _frame(reader)) is not None:
        api_key, _, correlation_id = struct.unpack_from(">hhi", frame)
        requests[correlation_id] = api_key
        await _write(writer, frame)


async def _forward_responses(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    requests: dict[int, int],
    ports: tuple[int, int],
    on_produce_response: OnProduceResponse,
) -> None:
    broker, proxy = (HOST.encode() + struct.pack(">i", port) for port in ports)
    while (frame := await _frame(reader)) is not None:
        response: bytes | None = frame
        api_key = requests.pop(_CORRELATION_ID.unpack_from(frame)[0])
        if api_key == _METADATA:
            response = frame.replace(broker, proxy)
        elif api_key == _PRODUCE:
            response = await on_produce_response(ProduceResponse(frame))
        if response is None:
            return
        await _write(writer, response)


async def _frame(reader: asyncio.StreamReader) -> bytes | None:
    """Read the next frame, without its size; None at the end of the connection."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        (size,) = _SIZE.unpack(await reader.readexactly(_SIZE.size))
        return await reader.readexactly(size)
    return None


async def _write(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(_SIZE.pack(len(frame)) + frame)
    await writer.drain()
