"""The real server, on a free port, with an application of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.limits import ServerLimits
from kvs_graphql.runtime.server import Server, listen

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LIMITS = ServerLimits(
    sockets_max=10,
    message_bytes_max=2**20,
    head_seconds_max=30,
    send_buffer_bytes_max=2**20,
    slow_client_seconds_max=30,
    ping_seconds=30,
    pong_seconds_max=30,
    shutdown_seconds_max=1,
)


@asynccontextmanager
async def server(application: Application, **limits: Any) -> AsyncIterator[int]:
    """Serve an ASGI application; yields the port."""

    async def on_exit() -> None:
        pass

    with listen("127.0.0.1", 0) as listener:
        served = Server(application, replace(LIMITS, **limits), Metrics(), on_exit, forwarded_allow_ips=())
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            tasks.create_task(served.serve(sockets=[listener]))
            try:
                yield listener.getsockname()[1]
            finally:
                served.stop()
