"""What resolvers have at hand: the tables, who asks, and the reads and writes of this one operation."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

from strawberry import Info

from kvs_graphql.access import Access, Verb
from kvs_graphql.api.encodings import Encoding, decode_key
from kvs_graphql.api.json_values import JsonValues
from kvs_graphql.budget import Budget, Workload
from kvs_graphql.compat.strawberry import selected_names
from kvs_graphql.metrics import Metrics
from kvs_graphql.service import Catalog, Cursor, Reads, Usage, Writes


class Connection(NamedTuple):
    """What lasts as long as a connection: one HTTP request, or a WebSocket with many operations."""

    catalog: Catalog
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

    _writes: dict[str, Writes] | None = None

    def __init__(
        self, connection: Connection, workload: Workload, json_values: JsonValues, *, single_field: bool = False
    ) -> None:
        """`single_field` where only one field reads."""
        self.connection = connection
        self.catalog = connection.catalog
        self.access = connection.access
        self.budget = Budget(workload)
        self.json_values = json_values
        self.usage = Usage(self.budget)
        self._single_field = single_field
        self._reads: dict[str, Reads] = {}

    @property
    def cursors(self) -> tuple[Cursor, ...]:
        """For each table, where its reads stand, or all of its writes are applied; none where there were none."""
        done: Mapping[str, Reads | Writes] = {**self._reads, **self._writes} if self._writes else self._reads
        return tuple([one.cursor for one in done.values() if one.cursor is not None])

    def reads(self, table: str) -> Reads:
        """The reads of a table: all of one snapshot."""
        reads = self._reads.get(table)
        if reads is None:
            reads = self.catalog.tables[table].reads(self.access, self.usage, single_field=self._single_field)
            self._reads[table] = reads
        return reads

    def writes(self, table: str) -> Writes:
        """The writes to a table, in order."""
        if self._writes is None:
            self._writes = {}
        writes = self._writes.get(table)
        if writes is None:
            writes = self._writes[table] = self.catalog.tables[table].writes(self.access)
        return writes

    def may_read(self, table: str) -> bool:
        """Whether the principal may read any keys of a table."""
        return self.access.allows(Verb.READ, table)

    def key(self, text: str, encoding: Encoding) -> bytes:
        """The bytes of a key. Raises: BadKey: They are not in that encoding, or longer than a key may be."""
        return self.catalog.limits.key(decode_key(text, encoding))


OperationInfo = Info[Operation, None]


class SelectionInfo(OperationInfo):
    """What a resolver gets if what it reads depends on what is selected of it."""

    @property
    def selected_names(self) -> frozenset[str]:
        """The names of the fields that are selected of the field's value; those that a directive may skip count."""
        return selected_names(self)
