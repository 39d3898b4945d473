"""Generated operations have the same answers, byte for byte, compiled and by graphql-core.

A failure names its seed; `KVS_DIFFERENTIAL_SEEDS=2000-5000` runs other seeds, or more.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
import pytest_asyncio

from kvs_graphql.cursor import Cursor
from kvs_graphql.executor import Executor, PreparedOperation, Refusal, Request
from kvs_graphql.executor.compiled import operations, selections
from kvs_graphql.records import Record, encode_headers
from tests.applications import LIMITS, TOPIC_ID, Answer, Application, open_application

pytestmark = pytest.mark.asyncio(loop_scope="module")

_FIRST, _LAST = map(int, os.environ.get("KVS_DIFFERENTIAL_SEEDS", "0-2000").split("-"))
# Preparing a document costs more than executing it ten times.
_REQUESTS_PER_SEED = 10
_COMPILED_SHARE_MIN = 0.4
_SEEDS_PER_TEST = 250
_CHUNKS = [range(first, min(first + _SEEDS_PER_TEST, _LAST)) for first in range(_FIRST, _LAST, _SEEDS_PER_TEST)]
_RECORDS = [
    (b"", b"empty key", 0, None),
    (b"a", b'{"celsius": 21.5, "tags": ["x", {"y": null}], "big": 9007199254740993}', 1_700_000_000_123, None),
    (b"a/1", b"", 1_700_000_000_000, encode_headers((("trace", b"one"), ("trace", b"\xff"), ("none", None)))),
    (b"a/2", b"\xff\xfe not utf-8", -1, None),
    (b"\xff\x00key", b"key is not utf-8", 253_402_300_800_000, None),
    (b"deleted", None, 5, None),
    ("größe".encode(), "wert 値".encode(), None, None),
    (b'quo"te\\', b'"a string"', 1, None),
    (b"odd", b'{"n": [963019363229999955968, 1.50, -0, 1E2], "u": "\\u00e9"}', 2, None),
    (b"lines", b'\r\n{"celsius":\n\t0.10}\n', 3, None),
    (b"deep", b"[" * 600 + b"1.50" + b"]" * 600, 4, None),
    *((b"many/%03d" % n, b"%d" % n, 1_700_000_000_000 + n, None) for n in range(30)),
]
_KEYS = ["", "a", "a/1", "a/2", "deleted", "größe", 'quo"te\\', "nowhere", "many/003", "/w", "ff006b6579", "YQ=="]
_KEYS += ["odd", "lines", "deep"]
_SCALARS = ["id", "key", "value", "size", "partition", "offset", "timestamp", "json", "__typename"]
_OF_REVISIONS = [
    *("kind", "value", "json", "size", "partition", "offset", "timestamp", "cursor", "__typename"),
    *("headers { key value }", 'part: json(pointer: "/tags")', "hex: value(encoding: HEX)"),
]
_NAMED = "orders"
_NAMED_SEEDS = min(500, _LAST - _FIRST)


class AnswersDiffer(AssertionError):
    """The back ends gave different answers: the seed, the request, and both answers."""


class TwoBackEnds(Executor):
    """Leaves every operation to graphql-core while it is the reference; prepares documents once for both back ends."""

    reference = False

    def known(self, request: Request) -> None:
        """Nothing: every request passes `prepare`."""

    async def prepare_in_turn(self, request: Request) -> PreparedOperation | Refusal:
        return self.prepare(request)

    def prepare(self, request: Request) -> PreparedOperation | Refusal:
        prepared = super().prepare(request)
        if self.reference and isinstance(prepared, PreparedOperation):
            return replace(prepared, compiled=None)
        return prepared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with opened(tmp_path_factory.mktemp("differential"), "") as application:
        yield application


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def named_application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with opened(tmp_path_factory.mktemp("differential"), _NAMED) as application:
        yield application


@asynccontextmanager
async def opened(directory: Path, table: str) -> AsyncIterator[Application]:
    """Open an application with both back ends over a table with that name."""
    records = [Record(key, value, 0, n, at, headers) for n, (key, value, at, headers) in enumerate(_RECORDS)]
    limits = replace(LIMITS, keys_per_request_max=6, key_bytes_max=12, counted_entries_max=40)
    async with open_application(
        directory, records, limits=limits, executor=TwoBackEnds, threads=False, name=table
    ) as application:
        yield application


class Operations:
    """Generates requests: most as clients send them, some of them invalid."""

    def __init__(self, seed: int, table: str = "") -> None:
        self._random = Random(seed)
        self._table = table
        self._type = "OrdersEntry" if table else "Entry"
        self._id = "b3JkZXJzAGE" if table else "YQ"
        self._applied = Cursor(TOPIC_ID, (1,), table=table).encode()
        self._ahead = Cursor(TOPIC_ID, (1_000,), table=table).encode()
        self._variables: dict[str, tuple[str, Any]] = {}
        self._fragments: list[str] = []

    def requests(self, number: int) -> Iterator[dict[str, Any]]:
        """Generate requests with the same document and other values for its variables."""
        request = self._request()
        yield request
        for _ in range(number - 1):
            given = {name: self._other(value) for name, value in request.get("variables", {}).items()}
            yield request | {"variables": given}

    def _other(self, value: Any) -> Any:
        """Return another value, mostly of the same kind."""
        if self._maybe(0.05):
            return self._random.choice((None, 7, [1], "text", True, {}))
        if isinstance(value, list):
            return self._random.choices(_KEYS, k=self._random.randint(0, 7))
        if isinstance(value, str):
            return self._random.choice((value, self._random.choice(_KEYS), "/celsius", "HEX"))
        return self._random.choice((value, 1, 3)) if type(value) is int else value

    def _request(self) -> dict[str, Any]:
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
        alias = f"r{number}: " if number and self._maybe(0.9) else ""
        choice = self._random.random()
        if choice < 0.4:
            arguments = [f"key: {self._argument('String!', self._random.choice(_KEYS))}", *self._key_encoding()]
            arguments += self._at_least()
            return f"{alias}{self._named('value')}({', '.join(arguments)}) {{ {self._entry()} }}"
        if choice < 0.7:
            keys = self._random.choices(_KEYS, k=self._random.randint(0, 7))
            arguments = [f"keys: {self._argument('[String!]!', keys)}", *self._key_encoding()]
            return f"{alias}{self._named('values')}({', '.join(arguments)}) {{ {self._entry()} }}"
        if choice < 0.95:
            return f"{alias}{self._named('entries')}{self._page()} {{ {self._connection()} }}"
        return self._random.choice(
            (
                f'{alias}node(id: "{self._id}") {{ id }}',
                f"{alias}status {{ lag tables {{ topic partitions {{ lag }} }} }}",
            )
        )

    def _named(self, field: str) -> str:
        return f"{self._table}{field.capitalize()}" if self._table else field

    def _at_least(self) -> list[str]:
        if self._maybe(0.9):
            return []
        cursor = self._random.choice((self._applied, self._applied, self._ahead, "garbled", None))
        return [f"atLeast: {self._argument('Cursor', cursor)}", "maxWait: 0"]

    def _page(self) -> str:
        arguments = []
        for name, kind, values in (
            ("first", "Int", [0, 1, 5, 20, 21, None, 1, 5, 2.0, "5"]),
            ("last", "Int", [3, None]),
            ("prefix", "String", ["a", "many/", "", None, "a", "many/", 5]),
            ("after", "String", ["YQ", "not an id", None]),
        ):
            if self._maybe(0.3):
                arguments.append(f"{name}: {self._argument(kind, self._random.choice(values))}")
        return f"({', '.join(arguments)})" if arguments else ""

    def _key_encoding(self) -> list[str]:
        if self._maybe(0.8):
            return []
        return [f"keyEncoding: {self._enum(self._random.choice(('UTF8', 'HEX', 'BASE64') * 3 + ('NO',)))}"]

    def _connection(self) -> str:
        page_info = "pageInfo { hasNextPage hasPreviousPage endCursor }"
        if self._maybe(0.2):
            page_info = f"... {{ totalCount }} {page_info}"
        elif self._maybe(0.2):
            page_info = f"{page_info} n: totalCount"
        if self._maybe(0.25):
            return page_info
        edges = f"edges {{ cursor node {{ {self._entry()} }} }}"
        return self._random.choice((edges, f"{page_info} {edges}", f"{edges} {page_info}"))

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
        return self._random.choice(("headers { key value }", "headers { key }", self._history()))

    def _history(self) -> str:
        chosen = self._random.sample(_OF_REVISIONS, self._random.randint(1, 4))
        return f"history(last: {self._random.randint(0, 2)}) {{ {' '.join(chosen)} }}"

    def _conditional(self, _: int) -> str:
        return f"size @include(if: {self._argument('Boolean!', self._maybe(0.5))})"

    def _inner(self, depth: int) -> str:
        if depth > 1:
            return "offset"
        inner = self._entry(depth + 1)
        if self._maybe(0.5):
            return f"... on {self._random.choice((self._type, self._type, 'Node'))} {{ id }} ... {{ {inner} }}"
        self._fragments.append(f"fragment F{len(self._fragments)} on {self._type} {{ {inner} }}")
        return f"...F{len(self._fragments) - 1}"

    def _argument(self, kind: str, value: Any) -> str:
        """Return a literal, or a variable, which may have a default, be missing, or be of another kind."""
        if self._maybe(0.4):
            return orjson.dumps(value).decode()
        name = f"v{len(self._variables)}"
        declared, given = kind, value
        if self._maybe(0.1):
            declared += f" = {orjson.dumps(value).decode()}"
            given = self._random.choice((..., value))
        elif self._maybe(0.05):
            given = self._random.choice((..., None, 7, [1], "text", True, {}))
        self._variables[name] = (declared, given)
        return f"${name}"

    def _enum(self, value: str) -> str:
        if self._maybe(0.5):
            return value
        name = f"v{len(self._variables)}"
        kind = self._random.choice(("Encoding!", "Encoding! = HEX", "Encoding"))
        self._variables[name] = (kind, value if self._maybe(0.8) else self._random.choice((..., None, 3)))
        return f"${name}"

    def _maybe(self, probability: float) -> bool:
        return self._random.random() < probability


async def compare(application: Application, seed: int, table: str = "") -> None:
    """Run the requests of a seed on both back ends; fail if their answers differ."""
    executor = application.executor
    assert isinstance(executor, TwoBackEnds)
    for request in Operations(seed, table).requests(_REQUESTS_PER_SEED):
        accept = Random(seed).choice(("application/json", "application/graphql-response+json", "*/*"))
        executor.reference = True
        expected = await application.post(request, accept=accept)
        executor.reference = False
        answer = await application.post(request, accept=accept)
        if not alike(answer, expected):
            raise AnswersDiffer(seed, request, answer, expected)


def alike(answer: Answer, expected: Answer) -> bool:
    """Return whether two answers are the same, byte for byte.

    graphql-core's errors come in the order in which they happened, which is another one where it executes lists in
    turns: then the answers must have the same bytes. Where several root fields fail, errors after the one that nulls
    everything are left out: then both must have some.
    """
    if answer == expected:
        return True
    one, other = answer.json(), expected.json()
    errors, others = ({orjson.dumps(error) for error in each.pop("errors", ())} for each in (one, other))
    roots = {orjson.loads(error).get("path", [None])[0] for error in errors | others}
    if (answer.status, one) != (expected.status, other):
        return False
    if errors == others and sorted(answer.content) == sorted(expected.content):
        return True
    return one["data"] is None and len(roots) > 1 and bool(errors and others)


@pytest.mark.parametrize("seeds", _CHUNKS, ids=lambda seeds: f"{seeds.start}-{seeds.stop}")
async def test_compiled_operations_answer_byte_for_byte_like_graphql_core(
    application: Application, seeds: range
) -> None:
    await compare_all(application, seeds, "")


async def test_compiled_operations_of_a_named_table_answer_like_graphql_core(named_application: Application) -> None:
    await compare_all(named_application, range(_LAST, _LAST + _NAMED_SEEDS), _NAMED)


async def compare_all(application: Application, seeds: range, table: str) -> None:
    """Run the requests of these seeds on both back ends; fail if answers differ, or few of them were compiled."""

    def executed(backend: str) -> float:
        return application.counted("kvs_operations_total", type="query", backend=backend)

    compiled, reference = executed("compiled"), executed("graphql-core")
    for seed in seeds:
        await compare(application, seed, table)
    compiled, reference = executed("compiled") - compiled, executed("graphql-core") - reference
    sent = len(seeds) * _REQUESTS_PER_SEED
    print(f"{sent:,} requests; {compiled:,.0f} ran compiled, {reference:,.0f} by graphql-core")
    assert compiled > _COMPILED_SHARE_MIN * sent, "too few of them were compiled"


async def test_planted_difference_is_found(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of empty values is off by one in compiled operations."""
    show_of = selections.show_of

    def planted(*arguments: Any) -> Any:
        show = show_of(*arguments)
        assert show is not None
        return lambda value: orjson.loads(orjson.dumps(show(value)).replace(b'"size":0', b'"size":1'))

    monkeypatch.setattr(operations, "show_of", planted)
    with pytest.raises(AnswersDiffer):
        for seed in range(_LAST, _LAST + 300):
            await compare(application, seed)
