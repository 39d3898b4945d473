"""Results over HTTP as they come: Server-Sent Events and multipart.

The ids of events are cursors, so that a browser's own EventSource resumes without help. The last event has the id
`end`; where that comes back, the answer is 204, and the EventSource gives up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from starlette.types import Receive, Send

from kvs_graphql.executor import Outcome, Payload, Refusal, ResultSink
from kvs_graphql.service import Flush
from kvs_graphql.web.direct import DirectWriter
from kvs_graphql.web.protection import ANSWER_HEADERS
from kvs_graphql.web.responses import encode_refusal

END = b"end"

Stream = Callable[[ResultSink], Awaitable[Outcome | Refusal]]
"""Executes an operation into a sink."""


_WITHOUT_END = (Outcome.STOPPING, Outcome.SUPERSEDED)
"""After these, the client asks again."""

_UNBUFFERED = [(b"cache-control", b"no-cache, no-transform"), (b"x-accel-buffering", b"no")]
"""Proxies pass on what they get at once."""


class Framing(Protocol):
    """How results stand in the body of a response."""

    headers: ClassVar[list[tuple[bytes, bytes]]]
    with_token: bool
    begin: bytes
    heartbeat: bytes
    """Shows proxies that the stream is alive, and lets TCP find out whether the client is."""
    end: bytes

    def frame(self, payload: Payload) -> tuple[bytes, ...]:
        """A result, in parts."""
        ...


class EventFraming:
    """graphql-sse in its distinct connections mode."""

    headers: ClassVar = [(b"content-type", b"text/event-stream"), *_UNBUFFERED, *ANSWER_HEADERS]
    with_token = True
    begin = b""
    heartbeat = b": ping\n\n"
    end = b"id: " + END + b"\nevent: complete\ndata: \n\n"

    def frame(self, payload: Payload) -> tuple[bytes, ...]:
        if payload.token is None:
            return b"event: next\ndata: ", payload.result, b"\n\n"
        return b"id: ", payload.token, b"\nevent: next\ndata: ", payload.result, b"\n\n"


class MultipartFraming:
    """Multipart subscriptions, as Apollo's clients read them: a part is complete once the next boundary is there."""

    headers: ClassVar = [
        (b"content-type", b"multipart/mixed;boundary=graphql;subscriptionSpec=1.0"),
        *_UNBUFFERED,
        *ANSWER_HEADERS,
    ]
    with_token = False
    begin = b"--graphql\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql"
    heartbeat = b"\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql"
    end = b"--\r\n"

    def frame(self, payload: Payload) -> tuple[bytes, ...]:
        return b'\r\ncontent-type: application/json\r\n\r\n{"payload":', payload.result, b"}\r\n--graphql"


class _BodySink:
    """The body of one streaming response."""

    __slots__ = ("_framing", "_send", "_writer", "with_token")

    def __init__(self, framing: Framing, send: Send, writer: DirectWriter | None) -> None:
        self.with_token = framing.with_token
        self._framing = framing
        self._send = send
        self._writer = writer

    def take(self, payload: Payload) -> Flush | None:
        return None if self._writer is None else self._writer.write(*self._framing.frame(payload))

    async def send(self, payload: Payload) -> None:
        flush = self.take(payload)
        if flush is None:
            await self.send_chunk(b"".join(self._framing.frame(payload)))
        else:
            flush()

    async def send_chunk(self, chunk: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})


async def send_stream(
    framing: Framing,
    stream: Stream,
    receive: Receive,
    send: Send,
    writer: DirectWriter | None,
    heartbeat_seconds: float,
    seconds_max: float | None,
) -> None:
    """Send the results of an operation until it ends, its client is gone, or its token has expired.

    A stopping service cuts the stream off without announcing its end, and so does one that wants to see a new token
    after `seconds_max`: a client that saw the end would not come back.
    """
    await send({"type": "http.response.start", "status": 200, "headers": framing.headers})
    sink = _BodySink(framing, send, writer)
    if framing.begin:
        await sink.send_chunk(framing.begin)
    streaming = asyncio.ensure_future(stream(sink))
    others = [
        asyncio.ensure_future(_until_gone(receive)),
        asyncio.ensure_future(_send_heartbeats(sink, framing.heartbeat, heartbeat_seconds)),
    ]
    try:
        ended, _ = await asyncio.wait([streaming, *others], timeout=seconds_max, return_when=asyncio.FIRST_COMPLETED)
    finally:
        done = streaming.done()
        for task in (streaming, *others):
            task.cancel()
        await asyncio.gather(streaming, *others, return_exceptions=True)
    if not ended:
        await sink.send_chunk(b"", more=False)
    if not done:
        return
    outcome = streaming.result()
    if isinstance(outcome, Refusal):
        await sink.send(Payload(encode_refusal(outcome)))
    await sink.send_chunk(b"" if outcome in _WITHOUT_END else framing.end, more=False)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_heartbeats(sink: _BodySink, heartbeat: bytes, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await sink.send_chunk(heartbeat)
