"""TLS towards clients. A connection whose handshake does not end takes a slot, and not for long."""

import asyncio
import ssl
from asyncio import Protocol, Transport
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from kvs_graphql.runtime.patience import Shared


class Handshake(Protocol):
    """A connection until its handshake has ended; then that of HTTP takes over.

    uvicorn would leave it to asyncio, which counts no connection before the end of its handshake, and waits a minute.
    """

    shared: ClassVar[Shared]
    context: ClassVar[ssl.SSLContext]
    connection_class: ClassVar[Callable[..., Protocol]]

    def __init__(self, **arguments: Any) -> None:
        """`arguments` are those that uvicorn makes a connection of."""
        self._make_connection = partial(type(self).connection_class, **arguments)
        self._early: list[bytes] = []
        self._is_lost = False
        self._shaking: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Transport)
        transport.pause_reading()
        peer = transport.get_extra_info("peername")
        self.shared.slots.take(transport, peer[0] if peer else "")
        self._shaking = asyncio.get_running_loop().create_task(self._shake(transport))

    def data_received(self, data: bytes) -> None:
        """Keep what comes between the end of the handshake and the next turn of the event loop."""
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True

    async def _shake(self, transport: Transport) -> None:
        seconds = self.shared.limits.head_seconds_max
        loop = asyncio.get_running_loop()
        try:
            secure = await loop.start_tls(
                transport, self, self.context, server_side=True, ssl_handshake_timeout=seconds
            )
        except OSError:
            # Of TLS, of the connection, or a time-out: any client can cause each of them.
            transport.abort()
            return
        finally:
            self.shared.slots.release(transport)
        if secure is None or self._is_lost:
            return
        connection = self._make_connection()
        secure.set_protocol(connection)
        connection.connection_made(secure)
        if self._early:
            connection.data_received(b"".join(self._early))


def tls_protocol(shared: Shared, context: ssl.SSLContext, connection_class: Callable[..., Protocol]) -> type[Handshake]:
    """Return the class of connections that begin with a handshake."""
    names = {"shared": shared, "context": context, "connection_class": staticmethod(connection_class)}
    return type("TlsHandshake", (Handshake,), names)
