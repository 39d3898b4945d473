"""What the operations of one connection have in common: who asks, and the slots for subscriptions."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from starlette.types import Scope

from kvs_graphql.access import ANYONE, Access
from kvs_graphql.api import Connection
from kvs_graphql.metrics import Metrics
from kvs_graphql.service import Catalog
from kvs_graphql.turns import Turns
from kvs_graphql.web.clients import ClientAddresses
from kvs_graphql.web.denials import HiddenFields
from kvs_graphql.web.kept import KeptRequests
from kvs_graphql.web.rates import RequestRates
from kvs_graphql.web.slots import Slots

# A few milliseconds of work, each.
_STARTS_PER_ROUND = 8
_HANDSHAKES_PER_ROUND = 16


class Connections:
    """Makes the connections of one service."""

    def __init__(
        self,
        catalog: Catalog,
        metrics: Metrics,
        slots: Slots,
        addresses: ClientAddresses,
        rates: RequestRates | None = None,
    ) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._slots = slots
        self.hidden_fields = HiddenFields(catalog)
        self.kept = KeptRequests(catalog.arguments)
        self.starts = Turns(_STARTS_PER_ROUND)
        """Those who start a subscription take turns: clients may ask for thousands at once."""
        self.handshakes = Turns(_HANDSHAKES_PER_ROUND)
        """So do those who open a WebSocket."""
        self.client = addresses.of_request
        """The address of the client that makes a request."""
        self.until_stopping = catalog.until_stopping
        """Waits until subscriptions are ended because the service stops."""
        self._rates = rates
        self.plain = self.plain_of(ANYONE)
        """For operations of anyone with one answer: nothing of a client's connection matters to them."""

    def plain_of(self, access: Access) -> Connection:
        """A connection for operations with one answer."""
        return Connection(self._catalog, access, "http", self._metrics, nullcontext)

    def streaming(self, scope: Scope, transport: str, access: Access = ANYONE, resume: str | None = None) -> Connection:
        """A connection that may carry subscriptions."""
        slot = partial(self._slots.taken, self.client(scope), transport)
        return Connection(self._catalog, access, transport, self._metrics, slot, resume)

    def rate(self, scope: Scope) -> Callable[[], None] | None:
        """What counts a request of the client; it raises LimitExceeded for one too many. None if there is no limit."""
        return None if self._rates is None else partial(self._rates.check, self.client(scope))
