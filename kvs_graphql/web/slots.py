"""How many subscriptions may be open at once: each holds a slot while it lasts, however it ends."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kvs_graphql.errors import LimitExceeded
from kvs_graphql.metrics import Metrics


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """Subscriptions open at once, of one client's address and in all, over every transport."""

    per_client_max: int
    in_all_max: int


class Slots:
    """The slots in use, by the address of their client."""

    def __init__(self, metrics: Metrics, limits: SlotLimits) -> None:
        self._metrics = metrics
        self._limits = limits
        self._in_use = 0
        self._of_client: Counter[str] = Counter()

    @contextmanager
    def taken(self, client: str, transport: str) -> Iterator[None]:
        """A slot for one subscription of that client, for as long as the context is open.

        Raises:
            LimitExceeded: There is none left.
        """
        self._check(client)
        self._in_use += 1
        self._of_client[client] += 1
        try:
            with self._metrics.subscriptions_active.labels(transport).track_inprogress():
                yield
        finally:
            self._in_use -= 1
            self._of_client[client] -= 1
            if not self._of_client[client]:
                del self._of_client[client]

    def _check(self, client: str) -> None:
        if self._of_client[client] >= (limit := self._limits.per_client_max):
            what = "open subscriptions from this address"
            raise LimitExceeded.of("KVS_SUBSCRIPTIONS_PER_CLIENT_MAX", limit, what)
        if self._in_use >= (limit := self._limits.in_all_max):
            raise LimitExceeded.of("KVS_SUBSCRIPTIONS_MAX", limit, "open subscriptions")
