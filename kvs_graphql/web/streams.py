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
from kvs_graphql.web.bodies import StreamBody
from kvs_graphql.web.direct import DirectExchange
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
    """The results of the only operation of a streaming response."""

    __slots__ = ("_body", "_framing", "with_token")

    def __init__(self, framing: Framing, body: StreamBody) -> None:
        self.with_token = framing.with_token
        self._framing = framing
        self._body = body

    def take(self, payload: Payload) -> Flush | None:
        return self._body.write(*self._framing.frame(payload))

    def send(self, payload: Payload) -> Awaitable[None]:
        return self._body.send(*self._framing.frame(payload))


async def send_stream(
    framing: Framing,
    stream: Stream,
    receive: Receive,
    send: Send,
    writer: DirectExchange | None,
    heartbeat_seconds: float,
    seconds_max: float | None,
) -> None:
    """Send the results of an operation until it ends, its client is gone, or its token has expired.

    A stopping service cuts the stream off without announcing its end, and so does one that wants to see a new token
    after `seconds_max`: a client that saw the end would not come back.
    """
    await send({"type": "http.response.start", "status": 200, "headers": framing.headers})
    body = StreamBody(send, writer)
    sink = _BodySink(framing, body)
    if framing.begin:
        await body.send(framing.begin)
    streaming = asyncio.ensure_future(stream(sink))
    others = [
        asyncio.ensure_future(_until_gone(receive)),
        asyncio.ensure_future(_send_heartbeats(body, framing.heartbeat, heartbeat_seconds)),
    ]
    try:
        ended, _ = await asyncio.wait([streaming, *others], timeout=seconds_max, return_when=asyncio.FIRST_COMPLETED)
    finally:
        done = streaming.done()
        for task in (streaming, *others):
            task.cancel()
        await asyncio.gather(streaming, *others, return_exceptions=True)
    if not ended:
        await body.end()
    if not done:
        return
    outcome = streaming.result()
    if isinstance(outcome, Refusal):
        await sink.send(Payload(encode_refusal(outcome)))
    await body.end(b"" if outcome in _WITHOUT_END else framing.end)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_heartbeats(body: StreamBody, heartbeat: bytes, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await body.send(heartbeat)
