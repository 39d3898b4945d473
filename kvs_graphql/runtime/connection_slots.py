"""How many connections may be open: in all, and of one client. WebSockets are connections, too.

A connection over a limit gets a slot in a small reserve. There it may ask for the service's health and nothing else: so
clients that take all other slots do not hide the service from its load balancer. A full reserve ends its oldest
connection. A probe asks at once, and gets its answer before that.
"""

from asyncio import Transport
from collections import Counter
from collections.abc import Sequence

from kvs_graphql.errors import LimitExceeded
from kvs_graphql.web import ClientAddresses

RESERVE_MAX = 16


class ConnectionSlots:
    """The connections of one server."""

    def __init__(self, addresses: ClientAddresses, in_all_max: int, per_client_max: int) -> None:
        self._addresses = addresses
        self._in_all_max = in_all_max
        self._per_client_max = per_client_max
        self._clients: dict[Transport, str | None] = {}
        self._of_client: Counter[str] = Counter()
        self._reserve: dict[Transport, None] = {}

    def counted_client(self, peer: str, forwarded_for: Sequence[str] = ()) -> str:
        """The client that a connection counts for; the peer where that is a proxy whose clients are not known yet."""
        return self._addresses.client(peer, forwarded_for)

    def take(self, transport: Transport, peer: str) -> LimitExceeded | None:
        """Take a slot for a new connection; without one, return the limit that it is over.

        The connections of a trusted proxy are of many clients, and count in all only.
        """
        client = None if self._addresses.trusts(peer) else self._addresses.client(peer, ())
        error = self._over(client, len(self._clients))
        if error is None:
            self._clients[transport] = None
            self._count(transport, client)
            return None
        if len(self._reserve) == RESERVE_MAX:
            oldest = next(iter(self._reserve))
            del self._reserve[oldest]
            oldest.abort()
        self._reserve[transport] = None
        return error

    def pass_to(self, transport: Transport, peer: str, forwarded_for: Sequence[str]) -> LimitExceeded | None:
        """Count a trusted proxy's connection for its client, as it becomes a WebSocket; return the limit it is over."""
        if transport not in self._clients or self._clients[transport] is not None:
            return None
        client = self._addresses.client(peer, forwarded_for) if forwarded_for else None
        error = self._over(client, 0)
        if error is None:
            self._count(transport, client)
        return error

    def release(self, transport: Transport) -> None:
        """Free what a connection has taken, once it has ended."""
        self._reserve.pop(transport, None)
        client = self._clients.pop(transport, None)
        if client is not None:
            self._of_client[client] -= 1
            if not self._of_client[client]:
                del self._of_client[client]

    def _count(self, transport: Transport, client: str | None) -> None:
        if client is not None:
            self._clients[transport] = client
            self._of_client[client] += 1

    def _over(self, client: str | None, in_all: int) -> LimitExceeded | None:
        if in_all >= self._in_all_max:
            return LimitExceeded.of("KVS_CONNECTIONS_MAX", self._in_all_max, "open connections")
        if client is not None and self._of_client[client] >= self._per_client_max:
            limit, what = self._per_client_max, "open connections from this address"
            return LimitExceeded.of("KVS_CONNECTIONS_PER_CLIENT_MAX", limit, what)
        return None
