"""What resolvers have at hand: the service, who asks, and the reads and writes of this one operation."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from strawberry import Info

from kvs_graphql.access import Access
from kvs_graphql.api.encodings import Encoding, decode_key
from kvs_graphql.api.json_values import JsonValues
from kvs_graphql.budget import Budget, Workload
from kvs_graphql.compat.strawberry import selected_names
from kvs_graphql.metrics import Metrics
from kvs_graphql.service import Cursor, Service, Writes


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


class Operation:
    """What lasts as long as one operation. There is one for each query: it must cost little."""

    __slots__ = ("_writes", "access", "budget", "connection", "json_values", "reads", "service")

    def __init__(
        self, connection: Connection, workload: Workload, json_values: JsonValues, *, single_field: bool = False
    ) -> None:
        """`single_field` where only one field reads."""
        self.connection = connection
        self.service = connection.service
        self.access = connection.access
        self.budget = Budget(workload)
        self.json_values = json_values
        self.reads = connection.service.reads(connection.access, self.budget, single_field=single_field)
        self._writes: Writes | None = None

    @property
    def cursor(self) -> Cursor | None:
        """Where the operation's reads stand, or all of its writes are applied; None where there were none."""
        return self.reads.cursor if self._writes is None else self._writes.cursor

    @property
    def writes(self) -> Writes:
        if self._writes is None:
            self._writes = self.service.writes()
        return self._writes

    def key(self, text: str, encoding: Encoding) -> bytes:
        """The bytes of a key that an argument names. Raises: BadKey: It is none."""
        return self.service.limits.key(decode_key(text, encoding))


OperationInfo = Info[Operation, None]


class SelectionInfo(OperationInfo):
    """What a resolver gets if what it reads depends on what is selected of it."""

    @property
    def selected_names(self) -> frozenset[str]:
        """The names of the fields that are selected of the field's value; those that a directive may skip count."""
        return selected_names(self)
