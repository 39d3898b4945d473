"""A request over each transport, and all that comes back."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError
from websockets.typing import Subprotocol

from kvs_graphql.web.single_connection import STREAM_TOKEN
from tests.deadline import SECONDS_MAX
from tests.runtime.servers import client_of
from tests.serving import Served
from tests.transports import MULTIPART_ACCEPT, TRANSPORT_WS, open_stream
from tests.web.posting import JSON

TRANSPORTS = ("post", "get", "sse", "get sse", "multipart", "get multipart", "single connection", "websocket")
_ACCEPT = {"sse": "text/event-stream", "multipart": MULTIPART_ACCEPT}


@dataclass(frozen=True)
class Found:
    """What came back."""

    text: str
    codes: frozenset[str]
    """Of all errors in it."""

    @classmethod
    def of(cls, text: str) -> "Found":
        return cls(text, frozenset(_codes(text)))


def _codes(text: str) -> list[str]:
    _, *after = text.split('"code":"')
    return [part.partition('"')[0] for part in after]


async def ask(served: Served, transport: str, document: str, variables: str = "{}", *, token: str = "") -> Found:
    """All that comes back for one operation, which has to end by itself; `variables` are JSON of any form."""
    bearer = {"authorization": f"Bearer {token}"} if token else {}
    async with asyncio.timeout(SECONDS_MAX):
        if transport == "websocket":
            return Found.of(await _by_websocket(served, _body(document, variables), bearer))
        if transport == "single connection":
            return Found.of(await _on_one_connection(served, _body(document, variables), bearer))
        headers = {"accept": _ACCEPT.get(transport.removeprefix("get "), JSON), "content-type": JSON, **bearer}
        if not transport.startswith("get"):
            answer = await served.http.post("/graphql", content=_body(document, variables), headers=headers)
            return Found.of(answer.text)
        # httpx refuses to send an address that is as long as the service allows.
        address = urlencode({"query": document, "variables": variables}).encode()
        lines = [f"{name}: {value}".encode() for name, value in {"host": "localhost", **headers}.items()]
        return Found.of((await raw(served, b"GET /graphql?%b HTTP/1.1" % address, *lines)).decode())


def _body(document: str, variables: str) -> str:
    return f'{{"query": {orjson.dumps(document).decode()}, "variables": {variables}}}'


async def _by_websocket(served: Served, payload: str, headers: dict[str, str]) -> str:
    found = []
    async with socket(served, headers=headers) as opened:
        await begin(opened)
        await opened.send(f'{{"type": "subscribe", "id": "1", "payload": {payload}}}')
        try:
            async for message in opened:
                found.append(str(message))
                if orjson.loads(message)["type"] in {"complete", "error"}:
                    break
        except ConnectionClosedError:
            found.append(f"closed with {opened.close_code}")
    return "".join(found)


async def _on_one_connection(served: Served, request: str, headers: dict[str, str]) -> str:
    """All that comes back: the answer to the request for the operation, and the events until it has ended."""
    body = f'{request[:-1]}, "extensions": {{"operationId": "1"}}}}'
    reserved = await served.http.put("/graphql", headers=headers)
    if reserved.status_code != 201:
        return reserved.text
    async with open_stream(served, **headers) as link:
        own = {"content-type": JSON, STREAM_TOKEN.decode(): link.token, **headers}
        answer = await served.http.post("/graphql", content=body, headers=own)
        found = [answer.text]
        while answer.status_code == 202:
            name, data = await link.event()
            found.append(orjson.dumps(data).decode())
            if name == "complete":
                break
    return "".join(found)


def socket(served: Served, *subprotocols: str, headers: dict[str, str] | None = None) -> connect:
    """A WebSocket to the service, with the usual subprotocol unless others are named."""
    return connect(
        served.run.url.replace("http", "ws", 1) + "/graphql",
        subprotocols=[Subprotocol(name) for name in subprotocols or (TRANSPORT_WS,)],
        additional_headers=headers,
        proxy=None,
        open_timeout=SECONDS_MAX,
        max_queue=None,
    )


async def begin(opened: ClientConnection, payload: object = None) -> None:
    """Do the handshake of the protocol."""
    await opened.send(orjson.dumps({"type": "connection_init", "payload": payload}).decode())
    assert orjson.loads(await opened.recv()) == {"type": "connection_ack"}


async def raw(served: Served, *lines: bytes, body: bytes = b"") -> bytes:
    """All that the service sends for a request of these lines, until it closes the connection."""
    port = int(served.run.url.rpartition(":")[2])
    async with asyncio.timeout(SECONDS_MAX), client_of(port) as (reader, writer):
        writer.write(b"\r\n".join([*lines, b"connection: close", b"", body]))
        return await reader.read()


async def is_well(served: Served) -> bool:
    """Whether the service answers others."""
    data: dict[str, Any] = await served.data('{ value(key: "a") { value } }')
    return data == {"value": {"value": "1"}}
