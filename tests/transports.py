"""All transports of subscriptions behind one interface: own clients of each, and the npm clients."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

import httpx
import orjson
from httpx_sse import EventSource, ServerSentEvent
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.clients.node import Node, NodeClient, NodeSubscription
from tests.deadline import SECONDS_MAX
from tests.serving import Served

TRANSPORT_WS = "graphql-transport-ws"
MULTIPART_ACCEPT = 'multipart/mixed;subscriptionSpec="1.0", application/json'
HEARTBEAT = "{}"

UPDATES = """
subscription($keys: [String!], $prefix: String, $encoding: Encoding! = UTF8, $after: Cursor,
             $snapshot: Boolean! = false, $progress: Boolean! = false) {
  updates(keys: $keys, prefix: $prefix, keyEncoding: $encoding, after: $after, snapshot: $snapshot,
          progress: $progress) { kind key cursor partition offset timestamp entry { key value offset } }
}
"""

Message = dict[str, Any]
Result = dict[str, Any]
Results = AsyncGenerator[Result, None]


class Link(Protocol):
    """A client, and its connection if all its subscriptions share one."""

    def subscribed(
        self, document: str, *, operation: str | None = None, **variables: Any
    ) -> AbstractAsyncContextManager[Results]:
        """Yield the results of an operation, which ends with the context unless it has ended before."""
        ...


@dataclass(frozen=True)
class Transport:
    """A transport; `metric` is its label in /metrics."""

    linked: Callable[[Served], AbstractAsyncContextManager[Link]]
    metric: str

    @asynccontextmanager
    async def __call__(self, served: Served, document: str, **variables: Any) -> AsyncIterator[Results]:
        """Run one operation on its own connection."""
        async with self.linked(served) as link, link.subscribed(document, **variables) as results:
            yield results


def request_of(document: str, operation: str | None, variables: dict[str, Any]) -> dict[str, Any]:
    named = {} if operation is None else {"operationName": operation}
    return {"query": document, "variables": variables, **named}


@asynccontextmanager
async def open_socket(
    served: Served, *, subprotocol: str | None = TRANSPORT_WS, origin: str | None = None, init: bool = True
) -> AsyncIterator[ClientConnection]:
    """Open a WebSocket to the service; with `init`, the service has acknowledged it."""
    url = served.run.url.replace("http", "ws", 1) + "/graphql"
    subprotocols = None if subprotocol is None else [Subprotocol(subprotocol)]
    async with (
        asyncio.timeout(SECONDS_MAX),
        connect(
            url,
            subprotocols=subprotocols,
            origin=None if origin is None else Origin(origin),
            proxy=None,
            # Unread messages must not hold up the close.
            max_queue=None,
        ) as socket,
    ):
        if init:
            await send(socket, type="connection_init")
            assert await receive(socket) == {"type": "connection_ack"}
        yield socket


async def send(socket: ClientConnection, **message: Any) -> None:
    await socket.send(orjson.dumps(message).decode())


async def subscribe(socket: ClientConnection, identity: str, document: str, **variables: Any) -> None:
    await send(socket, type="subscribe", id=identity, payload=request_of(document, None, variables))


async def receive(socket: ClientConnection) -> Message:
    message: Message = orjson.loads(await socket.recv())
    return message


class _SocketLink:
    """graphql-transport-ws, with all operations on one socket."""

    def __init__(self, socket: ClientConnection, served: Served) -> None:
        self._socket = socket
        self._served = served
        self._messages: dict[str, deque[Message]] = {}
        self._identities = map(str, count(1))

    @asynccontextmanager
    async def subscribed(
        self, document: str, *, operation: str | None = None, **variables: Any
    ) -> AsyncIterator[Results]:
        identity = next(self._identities)
        self._messages[identity] = deque()
        request = request_of(self._served.named(document), operation, variables)
        await send(self._socket, type="subscribe", id=identity, payload=request)
        async with aclosing(self._results(identity)) as results:
            yield results
        if identity in self._messages:
            await send(self._socket, type="complete", id=identity)

    async def _results(self, identity: str) -> Results:
        while (message := await self._message(identity))["type"] == "next":
            yield message["payload"]
        del self._messages[identity]
        if message["type"] == "error":
            yield {"errors": message["payload"]}

    async def _message(self, identity: str) -> Message:
        while not self._messages[identity]:
            message = await receive(self._socket)
            self._messages[message["id"]].append(message)
        return self._messages[identity].popleft()


@asynccontextmanager
async def _websocket(served: Served) -> AsyncIterator[Link]:
    async with open_socket(served) as socket:
        yield _SocketLink(socket, served)


class StreamLink:
    """graphql-sse in its single connection mode, with all operations on one event stream."""

    def __init__(self, served: Served, token: str, events: AsyncIterator[ServerSentEvent], **headers: str) -> None:
        self.token = token
        self._served = served
        self._events = events
        self._headers = {"x-graphql-event-stream-token": token, **headers}
        self._found: dict[str, deque[Result | None]] = {}
        self._identities = map(str, count(1))

    async def post(self, identity: object, request: dict[str, Any], **headers: str) -> httpx.Response:
        """Ask for an operation with that id."""
        asked = request | {"extensions": {"operationId": identity}}
        return await self._served.http.post("/graphql", json=asked, headers=self._headers | headers)

    async def end(self, **parameters: str) -> httpx.Response:
        """Ask for the end of the operation that these parameters name."""
        return await self._served.http.delete("/graphql", params=parameters, headers=self._headers)

    async def event(self) -> tuple[str, dict[str, Any]]:
        """The next event, and its data."""
        event = await anext(self._events)
        assert not event.id
        return event.event, event.json()

    async def rest(self) -> list[str]:
        """The names of all events up to the end of the stream."""
        return [event.event async for event in self._events]

    @asynccontextmanager
    async def subscribed(
        self, document: str, *, operation: str | None = None, **variables: Any
    ) -> AsyncIterator[Results]:
        identity = next(self._identities)
        self._found[identity] = deque()
        answer = await self.post(identity, request_of(self._served.named(document), operation, variables))
        if answer.status_code != 202:
            del self._found[identity]
        results = _only(answer.json()) if identity not in self._found else self._results(identity)
        async with aclosing(results):
            yield results
        if identity in self._found:
            assert (await self.end(operationId=identity)).status_code == 200

    async def _results(self, identity: str) -> Results:
        while (result := await self._result(identity)) is not None:
            yield result
        del self._found[identity]

    async def _result(self, identity: str) -> Result | None:
        while not self._found[identity]:
            name, data = await self.event()
            # Drop events that were under way when their operation ended.
            if (found := self._found.get(data["id"])) is not None:
                found.append(data["payload"] if name == "next" else None)
        return self._found[identity].popleft()


async def _only(result: Result) -> Results:
    yield result


@asynccontextmanager
async def open_stream(served: Served, **headers: str) -> AsyncIterator[StreamLink]:
    """Reserve an event stream with these headers, and open it."""
    reserved = await served.http.put("/graphql", headers=headers)
    assert reserved.status_code == 201, reserved.text
    own = {"accept": "text/event-stream", "x-graphql-event-stream-token": reserved.text}
    async with (
        asyncio.timeout(SECONDS_MAX),
        served.http.stream("GET", "/graphql", headers=own | headers) as response,
        aclosing(EventSource(response).aiter_sse()) as events,
    ):
        assert response.status_code == 200
        yield StreamLink(served, reserved.text, events, **headers)


@dataclass(frozen=True)
class _HttpLink:
    """One response per subscription."""

    served: Served
    accept: str
    results: Callable[[httpx.Response], Results]

    @asynccontextmanager
    async def subscribed(
        self, document: str, *, operation: str | None = None, **variables: Any
    ) -> AsyncIterator[Results]:
        request = self.served.http.stream(
            "POST",
            "/graphql",
            json=request_of(self.served.named(document), operation, variables),
            headers={"accept": self.accept},
        )
        async with asyncio.timeout(SECONDS_MAX), request as response, aclosing(self.results(response)) as results:
            yield results


async def _events(response: httpx.Response) -> Results:
    async with aclosing(EventSource(response).aiter_sse()) as events:
        async for event in events:
            if event.event == "complete":
                return
            yield event.json()


async def _parts(response: httpx.Response) -> Results:
    if response.headers["content-type"] == "application/json":
        # Queries, and requests that are refused, have one answer.
        await response.aread()
        yield response.json()
        return
    assert response.headers["content-type"] == "multipart/mixed;boundary=graphql;subscriptionSpec=1.0"
    async for line in response.aiter_lines():
        if line == "--graphql--":
            return
        if line.startswith("{") and line != HEARTBEAT:
            yield orjson.loads(line)["payload"]


@asynccontextmanager
async def _sse(served: Served) -> AsyncIterator[Link]:
    yield _HttpLink(served, "text/event-stream", _events)


@asynccontextmanager
async def _multipart(served: Served) -> AsyncIterator[Link]:
    yield _HttpLink(served, MULTIPART_ACCEPT, _parts)


@dataclass(frozen=True)
class _NodeLink:
    """An npm client."""

    client: NodeClient

    @asynccontextmanager
    async def subscribed(self, document: str, **arguments: Any) -> AsyncIterator[Results]:
        async with (
            asyncio.timeout(SECONDS_MAX),
            self.client.subscribed(document, **arguments) as subscription,
            aclosing(self._results(subscription)) as results,
        ):
            yield results

    async def _results(self, subscription: NodeSubscription) -> Results:
        while (event := await subscription.event()).name == "next":
            yield event.payload
        if event.name == "error":
            yield {"errors": event.payload}


WEBSOCKET = Transport(_websocket, "websocket")
SSE = Transport(_sse, "sse")
MULTIPART = Transport(_multipart, "multipart")
SINGLE_CONNECTION = Transport(open_stream, "sse")


def npm_transport(node: Node, package: str) -> Transport:
    """Return the transport of the npm client in `package`."""

    @asynccontextmanager
    async def linked(served: Served) -> AsyncIterator[Link]:
        async with node.client(package, served.run.url) as client:
            yield _NodeLink(client)

    return Transport(linked, "websocket" if package == "graphql-ws" else "sse")


async def take(results: Results, number: int) -> list[dict[str, Any]]:
    """Return the updates of the next `number` results, none of which has errors."""
    updates = []
    for _ in range(number):
        result = await anext(results)
        assert "errors" not in result, result
        updates.append(result["data"]["updates"])
    return updates


async def until_active(http: httpx.AsyncClient, subscriptions: int, transport: str = "") -> None:
    """Return once /metrics shows so many open subscriptions, over one transport or over all."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            metrics = (await http.get("/metrics")).text
            active = re.findall(
                rf'^kvs_subscriptions_active{{transport="{transport or ".*"}"}} (.*)$', metrics, re.MULTILINE
            )
            if sum(map(float, active)) == subscriptions:
                return
