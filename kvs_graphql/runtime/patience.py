"""Ending connections whose clients do not read.

What is sent waits for the client in the kernel and in the transport, each bounded. When both are full, sending waits
(uvicorn's `send` returns when the transport has room), and the next page is read only after that. So a client that
stops reading costs its buffers, and delays nobody. One that takes nothing from them for too long is disconnected; it
can resume from its last cursor. One that reads slowly, but steadily, is not: a large answer may take it any time.
"""

import socket
from asyncio import TimerHandle, Transport
from dataclasses import dataclass
from typing import ClassVar

from kvs_graphql.compat.uvicorn import ClientConnection
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.connection_slots import ConnectionSlots
from kvs_graphql.runtime.limits import FAREWELL_SECONDS, ServerLimits
from kvs_graphql.runtime.parsing import ParsingQueue
from kvs_graphql.runtime.refusals import Refusals
from kvs_graphql.runtime.unfinished import UnfinishedRequests
from kvs_graphql.runtime.unread import UnreadAnswers

_MILLISECONDS_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of a server share."""

    limits: ServerLimits
    metrics: Metrics
    slots: ConnectionSlots
    unread: UnreadAnswers
    unfinished: UnfinishedRequests
    parsing: ParsingQueue
    refusals: Refusals


class Patience(ClientConnection):
    """Ends a connection on which sending has waited for too long; mixed into a connection of `compat`."""

    shared: ClassVar[Shared]
    limits: ClassVar[ServerLimits]
    _slow_timer: TimerHandle | None = None
    _unread_bytes = 0

    def pause_writing(self) -> None:
        super().pause_writing()
        self.shared.unread.begin(self.transport)
        self._wait_for_progress()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.end_patience()

    def connection_lost(self, exc: Exception | None) -> None:
        self.end_patience()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Let what is being sent end, unless the client does not read it."""
        super().shutdown()
        if self._slow_timer is not None:
            self._slow_timer.cancel()
            self._slow_timer = self.loop.call_later(self.limits.shutdown_farewell_seconds, self.transport.abort)

    def end_patience(self) -> None:
        """Stop waiting for the client."""
        if self._slow_timer is not None:
            self._slow_timer.cancel()
            self._slow_timer = None
            self.shared.unread.end(self.transport)

    def check_progress(self) -> None:
        """Drop the client if it has read nothing since the last check, or else since its buffers were full."""
        # Nothing is added meanwhile: sending waits. So the client has read if there is less.
        if self.transport.get_write_buffer_size() < self._unread_bytes:
            self._wait_for_progress()
        else:
            self._drop()

    def drop_slow_client(self) -> None:
        """End the connection; the client does not get what it has not read."""
        self.transport.abort()

    def _wait_for_progress(self) -> None:
        self._unread_bytes = self.transport.get_write_buffer_size()
        self._slow_timer = self.loop.call_later(self.limits.slow_client_seconds_max, self.check_progress)

    def _drop(self) -> None:
        self.shared.metrics.clients_disconnected.labels("slow").inc()
        self.drop_slow_client()


def bound_buffers(transport: Transport, limits: ServerLimits) -> None:
    """Bound what this process and the kernel hold for a client, and for how long.

    The kernel alone would hold megabytes, for as long as a dead client's address is reachable. It may hold more than
    the limit while the client's window has room: those bytes are on their way, and fast clients need them.
    """
    transport.set_write_buffer_limits(high=limits.send_buffer_bytes_max)
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limits.send_buffer_bytes_max)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Later than our own timer, which tells the client why.
        milliseconds = round(1000 * (limits.slow_client_seconds_max + FAREWELL_SECONDS))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, min(milliseconds, _MILLISECONDS_MAX))
