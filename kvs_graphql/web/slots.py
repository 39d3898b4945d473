"""How many subscriptions may be open at once: each holds a slot while it lasts, however it ends."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kvs_graphql.errors import LimitExceeded
from kvs_graphql.metrics import Metrics


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """What may be open at once, of one client's address and in all, over every transport."""

    per_client_max: int
    in_all_max: int


class ClientCounts:
    """How many of something are open, by the address of their client."""

    def __init__(self, limits: SlotLimits, setting: str, what: str) -> None:
        """`setting` is the name of the limits' variables without their ends; `what` is in the plural, for errors."""
        self._limits = limits
        self._setting = setting
        self._what = what
        self._in_all = 0
        self._of_client: Counter[str] = Counter()

    def take(self, client: str) -> None:
        """Count one more of that client. Raises: LimitExceeded: It is one too many."""
        if self._of_client[client] >= (limit := self._limits.per_client_max):
            raise LimitExceeded.of(f"{self._setting}_PER_CLIENT_MAX", limit, f"{self._what} from this address")
        if self._in_all >= (limit := self._limits.in_all_max):
            raise LimitExceeded.of(f"{self._setting}_MAX", limit, self._what)
        self._in_all += 1
        self._of_client[client] += 1

    def give_back(self, client: str) -> None:
        """Count one less of that client."""
        self._in_all -= 1
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]


class Slots:
    """The slots of open subscriptions."""

    def __init__(self, metrics: Metrics, limits: SlotLimits) -> None:
        self._metrics = metrics
        self._counts = ClientCounts(limits, "KVS_SUBSCRIPTIONS", "open subscriptions")

    @contextmanager
    def taken(self, client: str, transport: str) -> Iterator[None]:
        """A slot for one subscription of that client, for as long as the context is open.

        Raises:
            LimitExceeded: There is none left.
        """
        self._counts.take(client)
        try:
            with self._metrics.subscriptions_active.labels(transport).track_inprogress():
                yield
        finally:
            self._counts.give_back(client)
