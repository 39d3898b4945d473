"""A budget for what clients have not read yet, over all connections.

An answer may be much larger than a connection's buffer, and stays in memory until its client has read it. On a
WebSocket, more of them may wait behind the first. Where the unread answers of all clients are over the budget,
connections are dropped, the slowest readers first.
"""

from asyncio import Transport, get_running_loop
from dataclasses import dataclass

from kvs_graphql.metrics import Metrics

# The first bytes fill buffers on their way, and say nothing of how fast a client reads. Each is taken to have read so
# many, in a second before: one that has only just asked is not the slowest.
_FIRST_BYTES, _FIRST_SECONDS = 2**20, 1.0


@dataclass(slots=True)
class _Unread:
    """What one client has not read. All of an answer stays in memory until its end is read, so `bytes` is constant."""

    bytes: int
    since: float


class UnreadAnswers:
    """The connections whose clients have not read what was sent, and the bytes held for them."""

    def __init__(self, bytes_max: int, metrics: Metrics) -> None:
        self._bytes_max = bytes_max
        self._metrics = metrics
        self._unread: dict[Transport, _Unread] = {}
        self._waiting: dict[Transport, int] = {}
        self._bytes = 0
        self._is_shedding = False

    def begin(self, transport: Transport) -> None:
        """Count what waits for a client, from when its buffer is full."""
        loop = get_running_loop()
        unread = self._unread[transport] = _Unread(transport.get_write_buffer_size(), loop.time())
        self._add(unread.bytes)

    def end(self, transport: Transport) -> None:
        """Count no more: the client has read enough, or is gone."""
        unread = self._unread.pop(transport, None)
        if unread is not None:
            self._bytes -= unread.bytes

    def hold(self, transport: Transport, number: int) -> None:
        """Count the bytes of an answer that waits until its client has read those before."""
        self._waiting[transport] = self._waiting.get(transport, 0) + number
        self._add(number)

    def release(self, transport: Transport, number: int) -> None:
        """Count it no more: it waits no longer, or its client is gone."""
        # Those of a connection that was dropped are not counted any more.
        if transport in self._waiting:
            self._bytes -= number
            self._waiting[transport] -= number
            if not self._waiting[transport]:
                del self._waiting[transport]

    def _add(self, number: int) -> None:
        self._bytes += number
        if self._bytes > self._bytes_max and not self._is_shedding:
            self._is_shedding = True
            # The caller is still writing, perhaps to the connection that is dropped.
            get_running_loop().call_soon(self._shed)

    def _shed(self) -> None:
        """Drop the slowest readers until the rest is within the budget. A single answer may exceed it."""
        self._is_shedding = False
        now = get_running_loop().time()
        slowest = sorted(self._unread, key=lambda transport: self._pace(transport, now))
        for transport in slowest:
            is_single_answer = transport is slowest[-1] and transport not in self._waiting
            if self._bytes <= self._bytes_max or is_single_answer:
                break
            self._metrics.clients_disconnected.labels("unread").inc()
            self.end(transport)
            self._bytes -= self._waiting.pop(transport, 0)
            transport.abort()

    def _pace(self, transport: Transport, now: float) -> tuple[float, float]:
        """How fast a client reads, in bytes per second; of equally fast ones, the longest waiting comes first."""
        unread = self._unread[transport]
        read = max(_FIRST_BYTES, unread.bytes - transport.get_write_buffer_size())
        return read / (_FIRST_SECONDS + now - unread.since), unread.since
