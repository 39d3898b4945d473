"""Applications without a broker, over a table that the test fills, called as a server calls them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import strawberry

from kvs_graphql.api import build_schema
from kvs_graphql.budget import BudgetLimits
from kvs_graphql.executor import DocumentLimits, Executor, ExecutorLimits
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Batch, Record
from kvs_graphql.service import Catalog, Quotas, ServiceLimits, Table, WatchLimits
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import Store, WindowLimits, open_store
from kvs_graphql.web import ClientAddresses, Hosts, ReservedStreamLimits, SlotLimits, WebOptions, build_app
from tests.counters import counted
from tests.named import of_table
from tests.simulation.world import open_inline_store

TOPIC_ID = bytes(range(16))
LIMITS = ServiceLimits(
    keys_per_request_max=10,
    key_bytes_max=100,
    page_entries_max=20,
    counted_entries_max=30,
    read_bytes_max=100_000,
    cursor_bytes_max=1_000,
    wait_seconds_max=1.0,
    interval_seconds_min=0.1,
    value_bytes_max=100,
    watch=WatchLimits(
        page_max=10,
        page_bytes_max=10_000,
        progress_seconds=60.0,
        arguments_bytes_max=10_000_000,
        pages_bytes_max=10_000_000,
    ),
)
DOCUMENT_LIMITS = DocumentLimits(bytes_max=1_000_000, depth_max=9, aliases_max=20, tokens_max=900)
BUDGET_LIMITS = BudgetLimits(
    cost_max=100_000,
    response_bytes_max=10_000_000,
    errors_max=1_000,
    execution_seconds_max=60.0,
    large_operations_max=4,
)
EXECUTOR_LIMITS = ExecutorLimits(
    DOCUMENT_LIMITS,
    BUDGET_LIMITS,
    json_bytes_max=1_000_000,
    render_cache_bytes_max=1_000_000,
    slow_operation_seconds=60.0,
)
OPTIONS = WebOptions(
    root_path="",
    graphiql=False,
    hosts=Hosts((), "127.0.0.1"),
    frame_ancestors=(),
    sign_in=None,
    introspection=True,
    requests_per_second_max=None,
    cors_origins=(),
    cors_headers=(),
    cors_credentials=False,
    request_bytes_max=10_000,
    connection_init_seconds_max=60.0,
    heartbeat_seconds=60.0,
    operations_per_websocket_max=10,
    slots=SlotLimits(per_client_max=100, in_all_max=100),
    reserved_streams=ReservedStreamLimits(
        SlotLimits(per_client_max=10, in_all_max=10), reservation_seconds_max=60.0, operations_max=10
    ),
    addresses=ClientAddresses(()),
)


@dataclass(frozen=True)
class Answer:
    """The answer of an application."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return orjson.loads(self.content)


class LiveTable:
    """A table of one partition at its live end, without Kafka, and the catalog that has only this one."""

    def __init__(self, store: Store, *, table: type[Table], limits: ServiceLimits) -> None:
        self.store = store
        self.feed = Feed(store.cursor, LogBudget(changes_max=100, bytes_max=100_000))
        self.lifecycle = Lifecycle()
        quotas = Quotas(limits.watch)
        self.served = table("topic", store, self.feed, self.lifecycle, limits, quotas)
        self.catalog = Catalog([self.served], limits, quotas)

    async def change(self, *pairs: tuple[bytes, bytes | None]) -> None:
        """Apply and publish changes in one commit."""
        (position,) = self.feed.positions
        run = [Record(key, value, 0, position + n, n * 1_000, None) for n, (key, value) in enumerate(pairs)]
        self.feed.publish(await self.store.apply(Batch((run,), (position + len(run),), 0, 0)))

    async def watched_by(self, number: int) -> None:
        """Return once at least `number` watchers are open."""
        while self.feed.watchers < number:  # noqa: ASYNC110 - the feed has no event for it
            await asyncio.sleep(0)


class Application:
    """One table behind one application."""

    def __init__(
        self,
        table: LiveTable,
        schema: strawberry.Schema,
        executor: Callable[..., Executor],
        executor_limits: ExecutorLimits,
    ) -> None:
        self.table = table
        self.metrics = Metrics()
        self.executor = executor(schema, executor_limits, self.metrics)
        self.app = build_app(self.executor, table.catalog, self.metrics, OPTIONS)

    async def post(self, request: object, *, accept: str = "application/json") -> Answer:
        """Return the answer to a POST whose body is one message, as uvicorn delivers a small one."""
        messages = [{"type": "http.request", "body": orjson.dumps(request), "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            # An HTTP client waits for the answer.
            return await asyncio.Future[dict[str, Any]]()

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json"), (b"accept", accept.encode())]
        scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
        await self.app(scope | {"extensions": {}, "client": ("test", 1), "root_path": ""}, receive, send)
        start, *bodies = sent
        return Answer(
            start["status"],
            {name.decode(): value.decode() for name, value in start["headers"]},
            b"".join(body.get("body", b"") for body in bodies),
        )

    async def query(self, document: str, **variables: Any) -> Any:
        """Return the whole answer to a document for the only table: data, errors and extensions."""
        asked = of_table(document, self.table.served.name)
        return (await self.post({"query": asked, "variables": variables})).json()

    def counted(self, name: str, **labels: str) -> float:
        """Return the sum of a counter over all labels that are not given."""
        return counted(self.metrics, name, **labels)


@asynccontextmanager
async def open_application(
    directory: Path,
    records: Sequence[Record] = (),
    *,
    table: type[Table] = Table,
    limits: ServiceLimits = LIMITS,
    schema: strawberry.Schema | None = None,
    executor: Callable[..., Executor] = Executor,
    executor_limits: ExecutorLimits = EXECUTOR_LIMITS,
    threads: bool = True,
    name: str = "",
) -> AsyncIterator[Application]:
    """Open an application over a table with these records of one partition; without threads, requests cost less.

    `name` is that of the table; by default it is the only one of a service without a catalog.
    """
    window = WindowLimits(changes_max=1_000, bytes_max=1_000_000, deletes_max=100)
    path = directory / "kvs.db"
    opened = open_store(path, window, readers=2, table=name) if threads else open_inline_store(path, window, name)
    async with opened as store:
        await store.begin("topic", TOPIC_ID, (0,))
        end = max((record.offset + 1 for record in records), default=0)
        await store.apply(Batch((list(records),), (end,), 0, 0))
        await store.caught_up(0)
        live = LiveTable(store, table=table, limits=limits)
        yield Application(live, schema or schema_of(name), executor, executor_limits)


@cache
def schema_of(table: str) -> strawberry.Schema:
    """The schema of a service with one table that takes no writes. To build it takes most of the start of one."""
    return build_schema({table: False})
