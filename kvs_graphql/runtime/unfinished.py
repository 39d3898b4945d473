"""A budget for requests and messages that have begun to arrive, over all connections.

Each is limited in bytes and seconds, but many connections could each hold almost a whole one. Where all together are
over the budget, those that began first are dropped: the requests of honest clients end soon after they begin.
"""

from asyncio import Transport

from kvs_graphql.metrics import Metrics


class UnfinishedRequests:
    """The connections on which a part of a request or message has come, and its bytes, in the order of their begin."""

    def __init__(self, bytes_max: int, metrics: Metrics) -> None:
        self._bytes_max = bytes_max
        self._metrics = metrics
        self._held: dict[Transport, int] = {}
        self._bytes = 0

    def hold(self, transport: Transport, size: int) -> None:
        """Count this many bytes for a connection, in place of those counted before."""
        self._bytes += size - self._held.get(transport, 0)
        self._held[transport] = size
        while self._bytes > self._bytes_max:
            first = next(iter(self._held))
            self.release(first)
            self._metrics.clients_disconnected.labels("unfinished").inc()
            first.abort()

    def release(self, transport: Transport) -> None:
        """Count no more for a connection: its request is complete, or its client is gone."""
        self._bytes -= self._held.pop(transport, 0)
