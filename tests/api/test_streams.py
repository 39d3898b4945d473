"""What subscribers are told: the same by a plan as by graphql-core, and the same however little of it is shared."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import orjson
import pytest

from kvs_graphql.access import ANYONE
from kvs_graphql.api import Connection, DocumentLimits, KvsSchema, build_schema
from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.feed import Feed
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Batch, Record
from kvs_graphql.service import Service, ServiceLimits, WatchLimits
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import Store, WindowLimits, open_store

_SECONDS_MAX = 20
_MIB = 2**20
_CHANGES: list[tuple[bytes, bytes | None]] = [
    (b"a", b'{"n": 1}'),
    (b"b", b"1"),
    (b"a", b"\xff not utf-8"),
    (b"a", None),
    (b"\xff", b"2"),
    (b"a", b"end"),
]
_UPDATES = [
    "subscription($after: Cursor) { updates(after: $after) { kind key cursor entry { value } } }",
    "subscription Named { updates(progress: true) { __typename k: kind partition offset timestamp } }",
    """
    subscription($e: Encoding!) { updates(keys: ["a"]) { entry { ...E } cursor } }
    fragment E on Entry { id key(encoding: $e) value json(pointer: "/n") size headers { key value } }
    """,
    "subscription($keys: [String!], $e: Encoding! = HEX) { updates(keys: $keys) { key(encoding: $e) offset } }",
    'subscription { updates(keys: ["a"]) { entry { value history(last: 2) { kind } } } }',
    'subscription($no: Boolean!) { updates(keys: ["a"]) { kind @skip(if: $no) offset } }',
]
_VARIABLES: dict[str, Any] = {"e": "BASE64", "keys": ["a", "b"], "no": True}


class World:
    """A table of one partition at its live end, and subscribers to it without a transport."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._metrics = Metrics()
        self._feed = Feed(Cursor(NO_TOPIC_ID, store.positions), changes_max=100, bytes_max=100_000)
        limits = ServiceLimits(
            keys_per_request_max=10,
            key_bytes_max=10,
            page_entries_max=10,
            wait_seconds_max=1.0,
            interval_seconds_min=0.1,
            value_bytes_max=100,
            watch=WatchLimits(page_max=3, page_bytes_max=10_000, progress_seconds=60.0),
        )
        self._service = Service("topic", store, self._feed, Lifecycle(), limits)

    async def told(self, schema: KvsSchema, document: str) -> list[Any]:
        """What a subscriber is told of the changes, from its first result to the one of the last change."""
        connection = Connection(self._service, ANYONE, "websocket", self._metrics, nullcontext)
        results = await schema.stream(document, _VARIABLES, context_value=connection)
        told = []
        async for result in results:
            errors = [error.formatted for error in result.errors or ()]
            told.append(
                orjson.loads(orjson.dumps({"data": result.data, "errors": errors, "x": result.extensions or None}))
            )
            if len(told) == self._expected(document):
                break
        await results.aclose()
        return told

    async def change(self) -> None:
        """All changes, in two commits."""
        for some in (_CHANGES[:4], _CHANGES[4:]):
            (position,) = self._feed.positions
            run = [Record(key, value, 0, position + n, n * 1_000, None) for n, (key, value) in enumerate(some)]
            self._feed.publish(await self._store.apply(Batch((run,), (position + len(run),), 0, 0)))

    async def watched_by(self, number: int) -> None:
        """Return once so many subscribers watch."""
        while len(self._feed._interests.all()) < number:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)

    @staticmethod
    def _expected(document: str) -> int:
        keys = [key for key, _ in _CHANGES if "keys: [" not in document or key == b"a"]
        keys = [key for key in keys if "$keys" not in document or key in (b"a", b"b")]
        return len(keys) + ("progress" in document)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_store(tmp_path / "kvs.db", WindowLimits(1_000, 1_000_000, 100), readers=1) as store:
        await store.begin("topic", NO_TOPIC_ID, (0,))
        await store.caught_up(0)
        yield World(store)


def _schema(shared_bytes_max: int, *, plain: bool = False) -> KvsSchema:
    schema = build_schema(DocumentLimits(9, 9, 900), shared_bytes_max=shared_bytes_max)
    if plain:
        schema.plans.learn = lambda *_: None  # type: ignore[method-assign]
    return schema


async def test_all_subscribers_are_told_the_same_by_plans_by_graphql_core_and_however_much_is_shared(
    world: World,
) -> None:
    schemas = [_schema(0, plain=True), _schema(1), _schema(_MIB)]
    subscribers = [(schema, document) for schema in schemas for _ in range(2) for document in _UPDATES]
    async with asyncio.timeout(_SECONDS_MAX), asyncio.TaskGroup() as tasks:
        telling = [tasks.create_task(world.told(schema, document)) for schema, document in subscribers]
        await world.watched_by(len(subscribers))
        await world.change()
    told = [task.result() for task in telling]
    for document in _UPDATES:
        same = [one for one, (_, of) in zip(told, subscribers, strict=True) if of == document]
        assert len(same) == 6
        for one in same:
            assert one == same[0], document
    assert any(result["errors"] for one in told for result in one), "a value that is not UTF-8 was among them"
