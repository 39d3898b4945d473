"""Accepting connections, a few in each round of the event loop.

uvloop accepts one in each round: where rounds are long, a thousand clients that come back at once wait for half a
minute. asyncio accepts thousands in one round, which holds up all others.
"""

import asyncio
import errno
import socket
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

ACCEPTED_PER_ROUND = 8
"""How many connections are accepted in one round; the others wait in the kernel."""
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE_SECONDS = 1.0
"""How long no connection is accepted once there is no descriptor for one, or no memory."""


class Acceptor:
    """Accepts the connections of one listening socket, in place of an `asyncio.Server`."""

    def __init__(self, listener: socket.socket, new_connection: Callable[[], asyncio.Protocol]) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._new_connection = new_connection
        self._loop = asyncio.get_running_loop()
        self._opening = set[asyncio.Task[object]]()
        self._pause: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        """Accept no more connections."""
        self._loop.remove_reader(self._listener)
        if self._pause is not None:
            self._pause.cancel()

    async def wait_closed(self) -> None:
        """Return at once: connections that are open end by themselves."""

    def _listen(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_PER_ROUND):
            try:
                accepted, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    # Of the connection that was to be accepted (accept(2)).
                    continue
                log.warning("no connection can be accepted", reason=error.strerror, seconds=_PAUSE_SECONDS)
                self._loop.remove_reader(self._listener)
                self._pause = self._loop.call_later(_PAUSE_SECONDS, self._listen)
                return
            accepted.setblocking(False)
            opening = self._loop.create_task(self._open(accepted))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    async def _open(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._new_connection, accepted)
        except OSError:
            # The client is gone already.
            accepted.close()
