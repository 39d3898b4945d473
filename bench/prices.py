"""What the units of the limits on operations take: of the cost that is foreseen, and of what is counted meanwhile.

Each kind of work is asked for at two sizes, in this process and over a table on disk. The difference between the two is
what one more of it costs, and takes, without what every request takes.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from graphql import get_introspection_query

from bench.data import key
from bench.payments import AVRO, FIELDS, format_of, framed, payment
from bench.report import machine_line, write_files
from bench.tables import markdown_table, text_table
from kvs_graphql.access import ANYONE
from kvs_graphql.api import Connection, build_schema
from kvs_graphql.budget import BudgetLimits
from kvs_graphql.executor import DocumentLimits, Executed, ExecutorLimits, PreparedOperation, Request
from kvs_graphql.formats import FormatLimits, SchemaFormat, SchemaText, TableFormats, load_codec
from kvs_graphql.records import Record, encode_headers
from kvs_graphql.runtime.documents import document_policy
from kvs_graphql.settings import Settings, from_settings, load_settings
from kvs_graphql.tables import service_limits
from tests.applications import Application, open_application

HEAD = ("limited by", "work", "units each", "µs each", "ms per 1,000 units", "s for all units")
COST, READ, ERRORS = "KVS_QUERY_COST_MAX", "KVS_READ_BYTES_MAX", "KVS_ERRORS_PER_RESPONSE_MAX"

_KIB = 1_024
_SCHEMA_ID = 1
_ENTRIES, _BIG_ENTRIES = 1_000, 80
_BIG_BYTES = 64 * _KIB
_US, _MS = 1_000_000, 1_000
_NEVER_SLOW_SECONDS = 3_600.0

Asked = tuple[str, dict[str, Any]]
"""A document and its variables."""
Values = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of work: what limits it, the values that it is done on, and the request for so much of it."""

    name: str
    limited_by: str
    ask: Callable[[int], Asked]
    value: Values
    sizes: tuple[int, int] = (_ENTRIES // 4, _ENTRIES)
    units_each: int | None = None
    """None for what the price of the request says."""
    is_typed: bool = False


@dataclass(frozen=True, slots=True)
class Priced:
    """What one more of a kind of work costs, and how long it takes."""

    work: str
    limited_by: str
    units: float
    seconds: float
    limit: int

    @property
    def cells(self) -> tuple[str, ...]:
        """The line of a table."""
        per_unit = self.seconds / self.units
        return (
            self.limited_by,
            self.work,
            f"{self.units:,.0f}",
            f"{self.seconds * _US:,.1f}",
            f"{per_unit * 1_000 * _MS:,.3f}",
            f"{per_unit * self.limit:,.2f}",
        )


async def measure(works: Sequence[Work], repetitions: int) -> list[Priced]:
    """Measure kinds of work; the fastest of the repetitions counts."""
    settings = load_settings()
    limits = {
        COST: settings.query_cost_max,
        READ: settings.read_bytes_max,
        ERRORS: settings.errors_per_response_max,
    }
    priced: list[Priced] = []
    for work in works:
        async with _application(work, settings) as application:
            (less, fast), (more, slow) = [await _measured(application, work, size, repetitions) for size in work.sizes]
        each = work.sizes[1] - work.sizes[0]
        units = work.units_each if work.units_each is not None else (more - less) / each
        priced.append(Priced(work.name, work.limited_by, units, (slow - fast) / each, limits[work.limited_by]))
    return priced


def prices_text(priced: Sequence[Priced]) -> str:
    """Render the table for a terminal."""
    return text_table(HEAD, [one.cells for one in priced])


def write_prices(machine: Mapping[str, str], priced: Sequence[Priced]) -> None:
    """Write prices.json and prices.md to the results directory."""
    table = markdown_table(HEAD, [one.cells for one in priced])
    written = {"machine": machine, "prices": [asdict(one) for one in priced]}
    write_files("prices", written, "\n".join([machine_line(machine), "", *table]) + "\n")


async def _measured(application: Application, work: Work, size: int, repetitions: int) -> tuple[int, float]:
    """Return the price of a request of that size, and its seconds of processor time."""
    executor, (document, variables) = application.executor, work.ask(size)
    prepared = executor.prepare(Request(document, variables))
    assert isinstance(prepared, PreparedOperation), document
    connection = Connection(application.table.catalog, ANYONE, "http", application.metrics, nullcontext)
    found: list[float] = []
    for _ in range(repetitions):
        began = time.thread_time()
        answer = await executor.execute(prepared, variables, connection)
        assert isinstance(answer, Executed), work.name
        encoded = answer.encode()
        found.append(time.thread_time() - began)
        assert (b'"errors"' in encoded) == (work.limited_by == ERRORS), encoded[-400:]
    return prepared.price.of(variables), min(found)


@asynccontextmanager
async def _application(work: Work, settings: Settings) -> AsyncIterator[Application]:
    headers = encode_headers(tuple((f"h{number}", b"value") for number in range(10)))
    count = _BIG_ENTRIES if len(work.value(0)) >= _BIG_BYTES else _ENTRIES
    records = [Record(key(number), work.value(number), 0, number, number, headers) for number in range(count)]
    schema = build_schema(
        formats=_typed() if work.is_typed else None,
        json_bytes_max=settings.json_bytes_max,
        data_bytes_max=settings.data_bytes_max,
    )
    documents = DocumentLimits(
        bytes_max=settings.document_bytes_max,
        depth_max=settings.query_depth_max,
        aliases_max=settings.query_aliases_max,
        tokens_max=settings.query_tokens_max,
    )
    budgets = from_settings(
        BudgetLimits, settings, cost_max=settings.query_cost_max, errors_max=settings.errors_per_response_max
    )
    executor_limits = from_settings(
        ExecutorLimits,
        settings,
        documents=documents,
        budgets=budgets,
        policy=document_policy(settings),
        slow_operation_seconds=_NEVER_SLOW_SECONDS,
    )
    with tempfile.TemporaryDirectory(prefix="kvs-graphql-prices-") as directory:
        async with open_application(
            Path(directory),
            records,
            schema=schema,
            limits=service_limits(settings),
            executor_limits=executor_limits,
            threads=False,
        ) as application:
            yield application


def _typed() -> dict[str, TableFormats]:
    text = SchemaText(AVRO, format_of(AVRO).schema)
    codec = load_codec(text, "Value", frozenset(), FormatLimits(), is_framed=True)
    values = SchemaFormat(codec, text, _SCHEMA_ID, {_SCHEMA_ID: text})
    values.make_ready([_SCHEMA_ID])
    return {"": TableFormats(values)}


def _page(selected: str) -> Callable[[int], Asked]:
    document = f"query($n: Int!) {{ entries(first: $n) {{ edges {{ {selected} }} }} }}"
    return lambda size: (document, {"n": size})


def _keys(selected: str) -> Callable[[int], Asked]:
    document = f"query($k: [String!]!) {{ values(keys: $k) {{ {selected} }} }}"
    return lambda size: (document, {"k": [key(number).decode() for number in range(size)]})


def _once(selected: str) -> Callable[[int], Asked]:
    """A field that is selected or not, besides one that is."""
    return lambda size: (f"{{ __typename {selected if size else ''} }}", {})


def _text(size: int) -> Values:
    return lambda _: b"v" * size


def _json(size: int) -> Values:
    member = b'"%04d": ["some text", 1234567, true], '
    return lambda _: b"{%s}" % b"".join(member % number for number in range(size // 40)).rstrip(b", ")


def _avro(number: int) -> bytes:
    return framed(_SCHEMA_ID, format_of(AVRO).encode(payment(number)))


def _introspection(size: int) -> Asked:
    return (get_introspection_query() if size else "{ __typename }"), {}


_SHORT, _SOME = _text(100), _text(_KIB)
_SOME_JSON = _json(_KIB)
_BIG_SIZES = (_BIG_ENTRIES // 4, _BIG_ENTRIES)
_ONCE = (0, 1)
_ONE_PART = 'node { json(pointer: "/0003") }'
_TOTAL = f'entries(first: 0, prefix: "{key(0).decode()[:4]}") {{ totalCount }}'

WORKS = (
    Work("an entry by its key: `key`", COST, _keys("key"), _SHORT),
    Work("an entry of a page: `cursor`", COST, _page("cursor"), _SHORT),
    Work("an entry of a page, five fields", COST, _page("node { key size partition offset timestamp }"), _SHORT),
    Work("text of 1 KiB: `value`", COST, _keys("value"), _SOME),
    Work("text of 1 KiB: `value(encoding: BASE64)`", COST, _keys("value(encoding: BASE64)"), _SOME),
    Work("JSON of 1 KiB: `json`", COST, _keys("json"), _SOME_JSON),
    Work("JSON of 1 KiB: `json(pointer:)`", COST, _keys('json(pointer: "/0003/1")'), _SOME_JSON),
    Work("Avro: `data`, ten fields", COST, _keys(f"data {{ {FIELDS} }}"), _avro, is_typed=True),
    Work("Avro: `json`", COST, _keys("json"), _avro, is_typed=True),
    Work("ten `headers`, two fields", COST, _keys("headers { key value }"), _SHORT),
    Work("the `history` of a key, one change", COST, _keys("history(last: 1) { kind offset }"), _SHORT),
    Work("`totalCount` of 1,000", COST, _once(_TOTAL), _SHORT, _ONCE),
    Work("`status`, three fields", COST, _once("status { lag entries state }"), _SHORT, _ONCE),
    Work("introspection", COST, _introspection, _SHORT, _ONCE),
    Work("64 KiB of text, sent", READ, _page("node { value }"), _text(_BIG_BYTES), _BIG_SIZES, _BIG_BYTES),
    Work("64 KiB of JSON, parsed", READ, _page(_ONE_PART), _json(_BIG_BYTES + 100), _BIG_SIZES, _BIG_BYTES),
    Work("an error: NOT_UTF8", ERRORS, _keys("value"), lambda _: b"\xff" * 100, units_each=1),
)


def measure_all(repetitions: int) -> list[Priced]:
    """Measure all kinds of work."""
    return asyncio.run(measure(WORKS, repetitions))
