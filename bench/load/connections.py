"""The connections of all subscribers of one server, whatever their transport."""

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Sequence
from time import time_ns
from typing import cast

from bench.data import read_stamp
from bench.load.deliveries import Deliveries, Wanted

HOST = "127.0.0.1"
_OPENING_MAX = 50
_NS_PER_US = 1_000


class Closed(Exception):
    """A server closed a connection, or refused a subscription."""


class Subscribers:
    """All connections together, and the deliveries of the current run."""

    def __init__(
        self, wanted: Wanted, port: int, per_connection: int, document: str, tokens: Sequence[str] = ()
    ) -> None:
        self.wanted = wanted
        self.port = port
        self.per_connection = per_connection
        self.document = document
        self._tokens = tokens
        self.deliveries = Deliveries(wanted, run=-1, expected=0)
        self.payload_bytes = 0
        self.connections: list[Connection] = []
        self.failure: str | None = None

    def token(self, subscription: int) -> str | None:
        """Return the token that the connection with that first subscription shows; None where it shows none."""
        return self._tokens[subscription % len(self._tokens)] if self._tokens else None

    async def open(self, connect: Callable[["Subscribers", int], "Connection"]) -> None:
        """Connect, a few at once, and subscribe; return when the server has read every subscription.

        Raises:
            Closed: The server closed a connection or refused a subscription.
        """
        gate = asyncio.Semaphore(_OPENING_MAX)

        async def open_one(first: int) -> None:
            async with gate:
                connection = connect(self, first)
                await asyncio.get_running_loop().create_connection(lambda: connection, HOST, self.port)
                self.connections.append(connection)
                await connection.subscribed
                self.check()

        await asyncio.gather(*map(open_one, range(0, self.wanted.subscriptions, self.per_connection)))

    def check(self) -> None:
        """Raise Closed if the server closed a connection."""
        if self.failure is not None:
            raise Closed(self.failure)


class Connection(asyncio.Protocol):
    """One connection, which carries the subscriptions from number `first` on."""

    def __init__(self, subscribers: Subscribers, first: int) -> None:
        self.subscribers = subscribers
        self.first = first
        self.numbers = range(first, min(first + subscribers.per_connection, subscribers.wanted.subscriptions))
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    @abstractmethod
    def greet(self) -> None:
        """Send the first bytes of the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not subclass asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self.greet()

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(f"a connection was closed: {exc}")

    def pause(self) -> None:
        """Stop reading."""
        assert self._transport is not None
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        assert self._transport is not None
        self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def deliver(self, buffer: bytes, mark: int, payload_bytes: int, now_us: int) -> None:
        """Count the update whose stamp begins at index `mark` of the buffer."""
        subscribers = self.subscribers
        run, key_number, number, stamped_us = read_stamp(buffer, mark)
        if run == subscribers.deliveries.run:
            latency_us = now_us - stamped_us
            subscribers.deliveries.add(self.first, subscribers.per_connection, key_number, number, latency_us)
            subscribers.payload_bytes = payload_bytes

    def fail(self, reason: str) -> None:
        """Record why the connection ended; the first reason of all connections is kept."""
        self.subscribers.failure = self.subscribers.failure or reason
        if not self.subscribed.done():
            self.subscribed.set_result(None)


def now_us() -> int:
    """Return the microseconds since 1970."""
    return time_ns() // _NS_PER_US
