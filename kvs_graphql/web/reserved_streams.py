"""Event streams that are reserved first, and then carry the results of many operations.

    RESERVED ──it is opened──▶ OPEN
        │                        │
        └────────▶ ENDED ◀───────┘

Such a stream belongs to the principal who reserved it. Its token tells it from others, but gives no right to anything.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any

import orjson
from starlette.exceptions import HTTPException

from kvs_graphql.access import Access
from kvs_graphql.errors import LimitExceeded
from kvs_graphql.executor import Outcome, Payload
from kvs_graphql.service import ByteBudget, Flush
from kvs_graphql.web.bodies import StreamBody
from kvs_graphql.web.slots import ClientCounts, SlotLimits

_TOKEN_BYTES = 16
_UNKNOWN = "There is no such event stream: reserve one by PUT, and send its token as X-GraphQL-Event-Stream-Token."
_IS_OPEN = "The event stream is open already."
_ID_IN_USE = "An operation with this id is running on the event stream."


@dataclass(frozen=True, slots=True)
class ReservedStreamLimits:
    """How many streams may be reserved or open, for how long one may be reserved, and what one may carry at once."""

    streams: SlotLimits
    reservation_seconds_max: float
    operations_max: int


class OperationSink:
    """The results of one operation, each in an event with the operation's id."""

    __slots__ = ("_before", "_body", "with_token")

    def __init__(self, identity: str, body: StreamBody) -> None:
        self.with_token = False
        self._before = b'event: next\ndata: {"id":' + orjson.dumps(identity) + b',"payload":'
        self._body = body

    def take(self, payload: Payload) -> Flush | None:
        return self._body.write(self._before, payload.result, b"}\n\n")

    def send(self, payload: Payload) -> Awaitable[None]:
        return self._body.send(self._before, payload.result, b"}\n\n")


class StreamState(Enum):
    """The state of a reserved stream."""

    RESERVED = auto()
    OPEN = auto()
    ENDED = auto()


class ReservedStream:
    """One stream, from its reservation to its end."""

    def __init__(
        self, owner: Hashable, limits: ReservedStreamLimits, arguments: ByteBudget, forget: Callable[[], None]
    ) -> None:
        """`arguments` bounds what waits for streams to be opened; `forget` is called at the end."""
        self.owner = owner
        self._operations_max = limits.operations_max
        self._arguments = arguments
        self._forget = forget
        self._state = StreamState.RESERVED
        self._body: StreamBody | None = None
        self._opened = asyncio.Event()
        self._ended = asyncio.Event()
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._waiting_bytes = 0
        loop = asyncio.get_running_loop()
        self._reservation = loop.call_later(limits.reservation_seconds_max, self.end)
        self._expires = math.inf
        self._expiry: asyncio.TimerHandle | None = None

    def end_with(self, access: Access) -> None:
        """End the stream when a token expires with which it is used, if it is the first of them."""
        if access.expires_at is None or access.expires_at >= self._expires:
            return
        if self._expiry is not None:
            self._expiry.cancel()
        self._expires = access.expires_at
        self._expiry = asyncio.get_running_loop().call_later(max(0.0, access.expires_at - time.time()), self.end)

    def open(self, body: StreamBody) -> None:
        """Let operations write to this body. Raises: HTTPException: 409: The stream is open already."""
        if self._state is not StreamState.RESERVED:
            raise HTTPException(409, _IS_OPEN)
        self._state = StreamState.OPEN
        self._reservation.cancel()
        self._give_back()
        self._body = body
        self._opened.set()

    async def body(self) -> StreamBody:
        """Wait until the stream is open, and return its body."""
        await self._opened.wait()
        assert self._body is not None
        return self._body

    def start(self, identity: str, size: int, operation: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start an operation, whose request takes so many bytes in memory.

        Raises:
            HTTPException: 404: The stream has ended. 409: An operation with this id is running.
            LimitExceeded: Too many operations are running, or wait for streams to be opened.
        """
        if self._state is StreamState.ENDED:
            raise HTTPException(404, _UNKNOWN)
        if identity in self._operations:
            raise HTTPException(409, _ID_IN_USE)
        if len(self._operations) >= (limit := self._operations_max):
            raise LimitExceeded.of("KVS_OPERATIONS_PER_RESERVED_STREAM_MAX", limit, "open operations on this stream")
        if self._state is StreamState.RESERVED:
            self._arguments.take(size)
            self._waiting_bytes += size
        self._operations[identity] = asyncio.create_task(operation())

    def finish(self, identity: str) -> None:
        """Forget an operation that has ended by itself."""
        self._operations.pop(identity, None)

    def stop(self, identity: str) -> None:
        """End an operation, if it is running."""
        if (task := self._operations.pop(identity, None)) is not None:
            task.cancel()

    async def carry(self, stopping: Callable[[], Awaitable[None]]) -> Outcome:
        """Wait until the stream is over: it was ended, or the service stops, which lets operations end before."""
        waits = [asyncio.ensure_future(self._ended.wait()), asyncio.ensure_future(stopping())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        await asyncio.gather(*self._operations.values(), return_exceptions=True)
        return Outcome.STOPPING

    def end(self) -> None:
        """End the stream and all of its operations."""
        if self._state is StreamState.ENDED:
            return
        self._state = StreamState.ENDED
        self._reservation.cancel()
        if self._expiry is not None:
            self._expiry.cancel()
        for task in self._operations.values():
            task.cancel()
        self._give_back()
        self._ended.set()
        self._forget()

    async def close(self) -> None:
        """End the stream, and wait until nothing of its operations is left."""
        self.end()
        await asyncio.gather(*self._operations.values(), return_exceptions=True)

    def _give_back(self) -> None:
        self._arguments.give_back(self._waiting_bytes)
        self._waiting_bytes = 0


class ReservedStreams:
    """The streams of one service, by their tokens."""

    def __init__(self, limits: ReservedStreamLimits, arguments: ByteBudget) -> None:
        self._limits = limits
        self._arguments = arguments
        self._counts = ClientCounts(limits.streams, "KVS_RESERVED_STREAMS", "reserved event streams")
        self._streams: dict[str, ReservedStream] = {}

    def reserve(self, client: str, access: Access) -> str:
        """Reserve a stream for a client, and return its token. Raises: LimitExceeded: There are too many."""
        self._counts.take(client)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        forget = partial(self._forget, token, client)
        self._streams[token] = stream = ReservedStream(access.identity, self._limits, self._arguments, forget)
        stream.end_with(access)
        return token

    def find(self, token: str, access: Access) -> ReservedStream:
        """The stream with that token. Raises: HTTPException: 404: There is none, or it belongs to another principal."""
        stream = self._streams.get(token)
        if stream is None or stream.owner != access.identity:
            raise HTTPException(404, _UNKNOWN)
        stream.end_with(access)
        return stream

    def _forget(self, token: str, client: str) -> None:
        del self._streams[token]
        self._counts.give_back(client)
