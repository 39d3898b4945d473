"""Both ways to an answer: operations made up from seeds come out byte for byte the same with a plan and without.

A failure names its seed; `KVS_PLAN_SEEDS=1000-5000` runs other seeds, or more.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from kvs_graphql.api import DocumentLimits, KvsSchema, build_schema
from kvs_graphql.cursor import Cursor
from kvs_graphql.feed import Feed
from kvs_graphql.metrics import Metrics
from kvs_graphql.records import Batch, Record, encode_headers
from kvs_graphql.service import Service, ServiceLimits, WatchLimits
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import WindowLimits, open_store
from kvs_graphql.web import PlaceLimits, WebOptions, build_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

_FIRST, _LAST = map(int, os.environ.get("KVS_PLAN_SEEDS", "0-500").split("-"))
_TOPIC_ID = b"a topic of tests"
_RECORDS = [
    (b"", b"empty key", 0, None),
    (b"a", b'{"celsius": 21.5, "tags": ["x", {"y": null}], "big": 9007199254740993}', 1_700_000_000_123, None),
    (b"a/1", b"", 1_700_000_000_000, encode_headers((("trace", b"one"), ("trace", b"\xff"), ("none", None)))),
    (b"a/2", b"\xff\xfe not utf-8", -1, None),
    (b"\xff\x00key", b"key is not utf-8", 253_402_300_800_000, None),
    (b"deleted", None, 5, None),
    ("größe".encode(), "wert 値".encode(), None, None),
    (b'quo"te\\', b'"a string"', 1, None),
    *((b"many/%03d" % n, b"%d" % n, 1_700_000_000_000 + n, None) for n in range(30)),
]
_KEYS = ["", "a", "a/1", "a/2", "deleted", "größe", 'quo"te\\', "nowhere", "many/003", "/w", "ff006b6579", "YQ=="]
_SCALARS = ["id", "key", "value", "size", "partition", "offset", "timestamp", "json", "__typename"]


@dataclass
class Both:
    """One table behind two applications: with plans, and without."""

    schema: KvsSchema
    planned: httpx.AsyncClient
    plain: httpx.AsyncClient


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    path = tmp_path_factory.mktemp("plans") / "kvs.db"
    limits = ServiceLimits(
        keys_per_request_max=6,
        key_bytes_max=12,
        page_entries_max=20,
        wait_seconds_max=1.0,
        interval_seconds_min=0.1,
        value_bytes_max=100,
        watch=WatchLimits(page_max=10, page_bytes_max=10_000, progress_seconds=1.0),
    )
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(path, WindowLimits(100, 100_000, 100), readers=2))
        await store.begin("topic", _TOPIC_ID, (0,))
        records = [Record(key, value, 0, n, at, headers) for n, (key, value, at, headers) in enumerate(_RECORDS)]
        await store.apply(Batch((records,), (len(records),), 0, 0))
        await store.caught_up(0)
        feed = Feed(Cursor(_TOPIC_ID, store.positions), changes_max=10, bytes_max=1_000)
        service = Service("topic", store, feed, Lifecycle(), limits)
        shared = asyncio.create_task(service.run())
        stack.callback(shared.cancel)
        planned, plain = _schema(), _schema()
        plain.plans.learn = lambda *_: None  # type: ignore[method-assign]
        clients = [await stack.enter_async_context(_client(schema, service)) for schema in (planned, plain)]
        yield Both(planned, *clients)


def _schema() -> KvsSchema:
    return build_schema(DocumentLimits(depth_max=8, aliases_max=20, tokens_max=500))


def _client(schema: KvsSchema, service: Service) -> httpx.AsyncClient:
    options = WebOptions(
        graphiql=False,
        cors_origins=(),
        request_bytes_max=10_000,
        connection_init_seconds_max=1.0,
        ping_seconds=1.0,
        subscriptions_per_socket_max=1,
        places=PlaceLimits(per_client_max=1, in_all_max=1),
    )
    transport = httpx.ASGITransport(build_app(schema, service, Metrics(), options))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


class Operations:
    """Makes up requests: mostly such as clients send, some of them wrong."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._variables: dict[str, tuple[str, Any]] = {}
        self._fragments: list[str] = []

    def request(self) -> dict[str, Any]:
        fields = " ".join(self._root(n) for n in range(self._random.choice((1, 1, 1, 2, 3))))
        declared = ", ".join(f"${name}: {kind}" for name, (kind, _) in self._variables.items())
        head = f"query Q({declared})" if declared else self._random.choice(("", "query", "query Q"))
        given = {name: value for name, (_, value) in self._variables.items() if value is not ...}
        request: dict[str, Any] = {"query": f"{head} {{ {fields} }} {' '.join(self._fragments)}"}
        if given or self._maybe(0.5):
            request["variables"] = given | ({"unused": 1} if self._maybe(0.1) else {})
        if self._maybe(0.1):
            request["operationName"] = self._random.choice(("Q", "Other", None))
        return request

    def _root(self, number: int) -> str:
        alias = self._random.choice((f"r{number}: ", f"r{number}: ", "")) if number else ""
        choice = self._random.random()
        if choice < 0.4:
            arguments = [f"key: {self._argument('String!', self._random.choice(_KEYS))}", *self._key_encoding()]
            return f"{alias}value({', '.join(arguments)}) {{ {self._entry()} }}"
        if choice < 0.7:
            keys = self._random.choices(_KEYS, k=self._random.randint(0, 7))
            arguments = [f"keys: {self._argument('[String!]!', keys)}", *self._key_encoding()]
            return f"{alias}values({', '.join(arguments)}) {{ {self._entry()} }}"
        if choice < 0.95:
            return f"{alias}entries{self._page()} {{ {self._connection()} }}"
        return self._random.choice((f'{alias}node(id: "YQ") {{ id }}', f"{alias}status {{ topic }}"))

    def _page(self) -> str:
        arguments = []
        for name, kind, values in (
            ("first", "Int", [0, 1, 5, 20, 21, None, 2.0, "5"]),
            ("last", "Int", [3, None]),
            ("prefix", "String", ["a", "many/", "", None, 5]),
            ("after", "String", ["YQ", "not an id", None]),
        ):
            if self._maybe(0.3):
                arguments.append(f"{name}: {self._argument(kind, self._random.choice(values))}")
        return f"({', '.join(arguments)})" if arguments else ""

    def _key_encoding(self) -> list[str]:
        if self._maybe(0.8):
            return []
        return [f"keyEncoding: {self._enum(self._random.choice(('UTF8', 'UTF8', 'HEX', 'BASE64', 'NO')))}"]

    def _connection(self) -> str:
        parts = [f"edges {{ cursor node {{ {self._entry()} }} }}", "pageInfo { hasNextPage hasPreviousPage endCursor }"]
        return " ".join(self._random.sample(parts, self._random.randint(1, 2)))

    def _entry(self, depth: int = 0) -> str:
        kinds = [self._scalar, self._encoded, self._json, self._plain_other, self._conditional, self._inner]
        chosen = self._random.choices(kinds, (60, 10, 10, 5, 2, 13), k=self._random.randint(1, 5))
        return " ".join(kind(depth) for kind in chosen)

    def _scalar(self, _: int) -> str:
        name = self._random.choice(_SCALARS)
        return f"x{name.strip('_')}: {name}" if self._maybe(0.1) else name

    def _encoded(self, _: int) -> str:
        encoding = self._enum(self._random.choice(("UTF8", "HEX", "BASE64")))
        return f"e{self._random.randrange(9999)}: {self._random.choice(('key', 'value'))}(encoding: {encoding})"

    def _json(self, _: int) -> str:
        pointer = self._argument("String!", self._random.choice(("/celsius", "/tags/1/y", "", "/no", "bad")))
        return f"j{self._random.randrange(9999)}: json(pointer: {pointer})"

    def _plain_other(self, _: int) -> str:
        return self._random.choice(("headers { key value }", "headers { key }", "history(last: 1) { kind }"))

    def _conditional(self, _: int) -> str:
        return f"size @include(if: {self._argument('Boolean!', self._maybe(0.5))})"

    def _inner(self, depth: int) -> str:
        if depth > 1:
            return "offset"
        inner = self._entry(depth + 1)
        if self._maybe(0.5):
            return f"... on {self._random.choice(('Entry', 'Entry', 'Node'))} {{ id }} ... {{ {inner} }}"
        self._fragments.append(f"fragment F{len(self._fragments)} on Entry {{ {inner} }}")
        return f"...F{len(self._fragments) - 1}"

    def _argument(self, kind: str, value: Any) -> str:
        """As a literal, or as a variable, which may have a default, be missing, or of another kind."""
        if self._maybe(0.4):
            return orjson.dumps(value).decode()
        name = f"v{len(self._variables)}"
        declared, given = kind, value
        if self._maybe(0.1):
            declared += f" = {orjson.dumps(value).decode()}"
            given = self._random.choice((..., value))
        elif self._maybe(0.08):
            given = self._random.choice((..., None, 7, [1], "text", True, {}))
        self._variables[name] = (declared, given)
        return f"${name}"

    def _enum(self, value: str) -> str:
        if self._maybe(0.5):
            return value
        name = f"v{len(self._variables)}"
        kind = self._random.choice(("Encoding!", "Encoding! = HEX", "Encoding"))
        self._variables[name] = (kind, self._random.choice((value, value, value, ..., None, 3)))
        return f"${name}"

    def _maybe(self, probability: float) -> bool:
        return self._random.random() < probability


async def test_with_a_plan_and_without_answers_are_byte_for_byte_the_same(both: Both) -> None:
    by_plan = 0
    for seed in range(_FIRST, _LAST):
        request = Operations(seed).request()
        accept = {"Accept": Random(seed).choice(("application/json", "application/graphql-response+json", "*/*"))}
        expected = await both.plain.post("/graphql", json=request, headers=accept)
        for _ in ("learnt", "planned"):
            answer = await both.planned.post("/graphql", json=request, headers=accept)
            assert (answer.status_code, answer.content) == (expected.status_code, expected.content), (seed, request)
            assert answer.headers["content-type"] == expected.headers["content-type"]
        plan = both.schema.plans.get(request["query"], request.get("operationName"))
        by_plan += plan is not None and "errors" not in expected.json()
    assert by_plan > (_LAST - _FIRST) / 5, "too few of them show anything"
