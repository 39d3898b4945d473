"""What resolvers have at hand: the service, who asks, and the reads and writes of this one operation."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from strawberry import Info

from kvs_graphql.access import Access
from kvs_graphql.metrics import Metrics
from kvs_graphql.service import Cursor, Push, Reads, Service, Writes


@dataclass(frozen=True, slots=True)
class Connection:
    """What lasts as long as a connection: one HTTP request, or a WebSocket with many operations."""

    service: Service
    access: Access
    transport: str
    """`http`, `websocket`, `sse` or `multipart`."""
    metrics: Metrics
    place: Callable[[], AbstractContextManager[None]]
    """What each subscription holds while it is open; taking it raises LimitExceeded where none is left."""
    resume: str | None = None
    """The cursor that the client's EventSource saw last: it overrides `after` and `snapshot` of `updates`."""


@dataclass(slots=True)
class Operation:
    """What lasts as long as one operation."""

    connection: Connection
    plannable: bool = False
    """Whether a subscription that has a plan is left to it."""
    alone: bool = False
    """Whether only one field reads."""
    told: Cursor | None = None
    """Where a subscription stands with the event it is telling."""
    push: Push | None = None
    """How a subscription may tell of an update at once."""
    _reads: Reads | None = field(default=None, init=False)
    _writes: Writes | None = field(default=None, init=False)

    @property
    def service(self) -> Service:
        return self.connection.service

    @property
    def reads(self) -> Reads:
        if self._reads is None:
            self._reads = self.service.request(alone=self.alone)
        return self._reads

    @property
    def place(self) -> Cursor | None:
        """Where the reads stand; None where there were none."""
        return None if self._reads is None else self._reads.cursor

    @property
    def writes(self) -> Writes:
        if self._writes is None:
            self._writes = self.service.writes()
        return self._writes


OperationInfo = Info[Operation, None]
