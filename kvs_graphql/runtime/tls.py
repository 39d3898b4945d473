"""TLS towards clients. A connection whose handshake does not end takes a slot, and not for long."""

import asyncio
import ssl
from asyncio import Protocol, Transport
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import structlog

from kvs_graphql.errors import BadSetting
from kvs_graphql.runtime.patience import Shared

log = structlog.get_logger(__name__)


class RenewedTls:
    """The TLS context for clients, read again for the next handshake where one of its files has changed.

    A handshake takes about a millisecond; to look at the files takes some microseconds of it. Files are often replaced
    one after the other: while they do not fit together, or cannot be read, the context stays as it was.
    """

    def __init__(self, files: Sequence[Path], read: Callable[[], ssl.SSLContext | None]) -> None:
        """`read` makes a context of the files; it may raise BadSetting."""
        self._files = files
        self._read = read
        self._seen = self._stamps()
        self._context = read()

    def current(self) -> ssl.SSLContext:
        """The context of the files as they are now, or as they could be read last."""
        stamps = self._stamps()
        if stamps != self._seen:
            # Once for each change, whatever comes of it: any number of clients may begin handshakes.
            self._seen = stamps
            try:
                self._context = self._read()
            except BadSetting as error:
                log.warning("the changed certificate for clients cannot be used", reason=str(error))
            else:
                log.info("the certificate for clients has changed")
        assert self._context is not None
        return self._context

    def _stamps(self) -> list[tuple[int, ...]]:
        return [_stamp(file) for file in self._files]


def _stamp(file: Path) -> tuple[int, ...]:
    """What tells one content of a file from another, without reading it."""
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


class Handshake(Protocol):
    """A connection until its handshake has ended; then that of HTTP takes over.

    uvicorn would leave it to asyncio, which counts no connection before the end of its handshake, and waits a minute.
    """

    shared: ClassVar[Shared]
    tls: ClassVar[RenewedTls]
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
                transport, self, self.tls.current(), server_side=True, ssl_handshake_timeout=seconds
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


def tls_protocol(shared: Shared, tls: RenewedTls, connection_class: Callable[..., Protocol]) -> type[Handshake]:
    """Return the class of connections that begin with a handshake."""
    names = {"shared": shared, "tls": tls, "connection_class": staticmethod(connection_class)}
    return type("TlsHandshake", (Handshake,), names)
