"""What resolvers have at hand: the service, who asks, and the reads and writes of this one operation."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from strawberry import Info

from kvs_graphql.access import Access
from kvs_graphql.metrics import Metrics
from kvs_graphql.service import Cursor, Reads, Service, Writes


@dataclass(frozen=True, slots=True)
class Connection:
    """What lasts as long as a connection: one HTTP request, or a WebSocket with many operations."""

    service: Service
    access: Access
    transport: str
    """`http`, `websocket`, `sse` or `multipart`."""
    metrics: Metrics
    slot: Callable[[], AbstractContextManager[None]]
    """What each subscription holds while it is open; taking it raises LimitExceeded where none is left."""
    resume: str | None = None
    """The cursor of the last event that the client's EventSource got: it overrides `after` and `snapshot`."""


@dataclass(slots=True)
class Operation:
    """What lasts as long as one operation."""

    connection: Connection
    single_field: bool = False
    """Whether only one field reads."""
    _reads: Reads | None = field(default=None, init=False)
    _writes: Writes | None = field(default=None, init=False)

    @property
    def service(self) -> Service:
        return self.connection.service

    @property
    def access(self) -> Access:
        return self.connection.access

    @property
    def reads(self) -> Reads:
        if self._reads is None:
            self._reads = self.service.reads(self.access, single_field=self.single_field)
        return self._reads

    @property
    def read_cursor(self) -> Cursor | None:
        """Where the reads stand; None where there were none."""
        return None if self._reads is None else self._reads.cursor

    @property
    def writes(self) -> Writes:
        if self._writes is None:
            self._writes = self.service.writes()
        return self._writes


OperationInfo = Info[Operation, None]
