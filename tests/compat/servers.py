"""uvicorn with the connections of a test, and what both canaries of uvicorn need."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from uvicorn import Config

from kvs_graphql.compat.uvicorn import HttpConnection, State
from kvs_graphql.compat.uvicorn_server import Server
from kvs_graphql.compat.websockets import WebSocketConnection
from tests.deadline import SECONDS_MAX
from tests.runtime.servers import Application, Receive, Scope, Send

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def idle(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept a WebSocket, or answer a request, and leave it at that."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answer"})


@asynccontextmanager
async def serving(
    application: Application,
    http: type[HttpConnection] = HttpConnection,
    ws: type[WebSocketConnection] = WebSocketConnection,
    *,
    server: type[Server] = Server,
    **options: Any,
) -> AsyncIterator[tuple[Server, str]]:
    """A server with those connections, and its address."""
    config = Config(application, http=http, ws=ws, lifespan="off", log_config=None, **options)
    served = server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
            tasks.create_task(served.serve(sockets=[listener]))
            try:
                yield served, f"127.0.0.1:{listener.getsockname()[1]}"
            finally:
                served.stop()


def unserved(protocol: type[Any]) -> Any:
    """A connection of uvicorn's own, without a transport."""
    config = Config(idle, lifespan="off", log_config=None)
    return protocol(config=config, server_state=State(), app_state={}, _loop=asyncio.new_event_loop())
