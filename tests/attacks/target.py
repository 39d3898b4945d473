"""The service as an attacker sees it, and the connections to it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from bench.load.frames import CLOSE, TEXT, Reader, frame, handshake
from bench.queries import JSON, PATH
from tests.attacks.data import Table
from tests.attacks.tally import Tally
from tests.kafka.produce import produce

HOST = "127.0.0.1"
ATTACKER = "127.0.0.2"
"""The address that attackers come from; the canary comes from HOST."""
PROTOCOL = "graphql-transport-ws"
_CODE = re.compile(rb'"code":"(\w+)"')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"
_CHUNK = 256 * 1024
# Where an answer says how it went: errors follow the data.
_TELLING_BYTES = 4_096


@dataclass
class Target:
    """One service under one attack, with the attacker's counts and means."""

    port: int
    bootstrap_servers: str
    topic: str
    table: Table
    scale: float
    """The part of its full size that the attack has."""
    tally: Tally = field(default_factory=Tally)
    _open: set["Wire"] = field(default_factory=set)

    def amount(self, full: int, least: int = 1) -> int:
        """Return how many of something the attack uses at its scale."""
        return max(least, round(full * self.scale))

    async def connect(self, source: str = ATTACKER) -> "Wire":
        """Open a connection from one of the loopback's addresses."""
        reader, writer = await asyncio.open_connection(HOST, self.port, local_addr=(source, 0))
        wire = Wire(self.tally, reader, writer)
        self._open.add(wire)
        self.tally.opened += 1
        self.tally.open_max = max(self.tally.open_max, len(self._open))
        return wire

    def disconnect(self, wire: "Wire") -> None:
        """Reset a connection."""
        self._open.discard(wire)
        wire.abort()

    def end(self) -> None:
        """Reset all connections."""
        for wire in self._open:
            wire.abort()
        self._open.clear()

    async def together(self, work: Callable[[int], Awaitable[None]], full: int, at_once: int = 200) -> None:
        """Do something many times, so many at once; an end of a connection ends only what uses it."""
        turn = asyncio.Semaphore(at_once)

        async def one(number: int) -> None:
            async with turn:
                try:
                    await work(number)
                except (OSError, EOFError):
                    self.tally.outcomes["closed"] += 1

        await asyncio.gather(*(one(number) for number in range(self.amount(full))))

    async def hold(self) -> None:
        """Keep all connections open, without reading, until the time is over."""
        self.tally.held = True
        await asyncio.Event().wait()

    async def ask(
        self, requests: Iterable[bytes], connections: int, *, source: str = ATTACKER, full: int = 1_000_000
    ) -> None:
        """Send requests on some connections, each one after the answer to the one before."""
        left = iter(requests)
        limit = self.amount(full)

        async def one(_: int) -> None:
            nonlocal limit
            wire = await self.connect(source)
            for request in left:
                limit -= 1
                if limit < 0:
                    return
                await wire.send(request)
                if not await wire.answer():
                    self.disconnect(wire)
                    wire = await self.connect(source)

        await asyncio.gather(*(self._until_closed(one(number)) for number in range(connections)))

    async def websocket(self, payload: object = None, source: str = ATTACKER) -> "Socket":
        """Open a WebSocket that is acknowledged. Raises: EOFError: It is refused."""
        wire = await self.connect(source)
        await wire.send(handshake(self.port, PATH, PROTOCOL))
        head = await wire.head()
        if not head.startswith(b"HTTP/1.1 101"):
            self.tally.outcomes[head[9:12].decode()] += 1
            raise EOFError
        socket = Socket(wire)
        await socket.tell(type="connection_init", **({} if payload is None else {"payload": payload}))
        await socket.next_outcome()
        return socket

    async def subscribed(self, documents: list[tuple[str, dict[str, Any]]], per_socket: int = 100) -> list["Socket"]:
        """Open these subscriptions on WebSockets, and read nothing of them."""
        parts = [documents[at : at + per_socket] for at in range(0, len(documents), per_socket)]
        sockets: list[Socket] = []

        async def one(number: int) -> None:
            socket = await self.websocket()
            sockets.append(socket)
            for identity, (document, variables) in enumerate(parts[number]):
                await socket.subscribe(str(identity), document, variables)

        await asyncio.gather(*(self._until_closed(one(number)) for number in range(len(parts))))
        return sockets

    async def read(self, sockets: Iterable["Socket"]) -> None:
        """Read everything that comes, and count it."""
        await asyncio.gather(*(self._until_closed(socket.read()) for socket in sockets))

    async def write(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Have records written to the topic, as other systems do."""
        await asyncio.to_thread(produce, self.bootstrap_servers, self.topic, records)

    async def _until_closed(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (OSError, EOFError):
            self.tally.outcomes["closed"] += 1


class Wire:
    """One connection, with HTTP or without."""

    def __init__(self, tally: Tally, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tally = tally
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send a request or a part of one; wait while the service takes nothing."""
        self._writer.write(data)
        self.tally.sent += 1
        await self._writer.drain()

    async def receive(self) -> bytes:
        """Return the next bytes. Raises: EOFError: The service closed the connection."""
        data = await self._reader.read(_CHUNK)
        if not data:
            raise EOFError
        self.tally.bytes_read += len(data)
        return data

    async def head(self) -> bytes:
        """Return the head of an answer, and count its status. Raises: EOFError: There is none."""
        head = await self._reader.readuntil(_END_OF_HEAD)
        self.tally.bytes_read += len(head)
        return head

    async def answer(self) -> bool:
        """Read an answer and count how it went; return whether the connection stays open."""
        head = await self.head()
        length = _LENGTH.search(head)
        missing = int(length[1]) if length else 0
        start = end = b""
        while missing:
            data = await self._reader.read(min(missing, _CHUNK))
            if not data:
                raise EOFError
            self.tally.bytes_read += len(data)
            missing -= len(data)
            start = start or data[:_TELLING_BYTES]
            end = (end + data)[-_TELLING_BYTES:]
        code = _CODE.search(start) or _CODE.search(end)
        self.tally.outcomes[(code[1] if code else head[9:12]).decode()] += 1
        return b"connection: close" not in head.lower()

    def abort(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()


class Socket:
    """A WebSocket of an attacker."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._reader = Reader()
        self._reader.upgraded = True

    async def tell(self, **message: object) -> None:
        """Send a message of the protocol."""
        await self.wire.send(frame(orjson.dumps(message)))

    async def subscribe(self, identity: str, document: str, variables: dict[str, Any]) -> None:
        """Begin an operation."""
        payload = {"query": document, "variables": variables}
        await self.tell(id=identity, type="subscribe", payload=payload)

    async def next_outcome(self) -> None:
        """Return once one message at least has come, and count all that came."""
        while not self._count(await self.wire.receive()):
            pass

    async def read(self) -> None:
        """Count messages until the service closes the socket."""
        while True:
            await self.next_outcome()

    def _count(self, data: bytes) -> int:
        count = 0
        for opcode, buffer, start, end in self._reader.messages(data):
            count += 1
            self.wire.tally.outcomes[_outcome(opcode, buffer[start : min(end, start + _TELLING_BYTES)])] += 1
        return count


def post(document: str, variables: dict[str, Any] | None = None, accept: str = JSON, **headers: str) -> bytes:
    """Return the bytes of a GraphQL request."""
    return post_body(orjson.dumps({"query": document, "variables": variables or {}}), accept, **headers)


def post_body(body: bytes, accept: str = JSON, **headers: str) -> bytes:
    """Return the bytes of a request with this body, whatever it is; underscores in names of headers are hyphens."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: {HOST}\r\naccept: {accept}\r\n{more}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _outcome(opcode: int, text: bytes) -> str:
    if opcode == CLOSE:
        return f"closed {int.from_bytes(text[:2], 'big')}"
    if opcode != TEXT:
        return "control frame"
    code = _CODE.search(text)
    if code:
        return code[1].decode()
    kind = re.search(rb'"type":"(\w+)"', text)
    return kind[1].decode() if kind else "text"
