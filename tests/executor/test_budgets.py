"""Operations within their budget are answered, whole and in turns; those beyond it are refused, on both back ends."""

import asyncio
import gc
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from kvs_graphql.access import ANYONE
from kvs_graphql.api import Connection
from kvs_graphql.budget import Budget, Workload
from kvs_graphql.cursor import Cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.executor import Executor, ExecutorLimits, PreparedOperation, Refusal, Request
from kvs_graphql.records import Record
from tests.applications import BUDGET_LIMITS, EXECUTOR_LIMITS, LIMITS, TOPIC_ID, Application, open_application
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.executor.subscribers import GraphQLCoreOnly, Subscriber
from tests.serving import serving_topic
from tests.transports import MULTIPART, SINGLE_CONNECTION, SSE, WEBSOCKET, Transport

KIB, MIB = 2**10, 2**20
VALUE = '{"number": 1, "text": "%s"}' % ("x" * 40 * KIB)
LARGE = [Record(b"key-%02d" % n, VALUE.encode(), 0, n, n, None) for n in range(20)]
BINARY = [Record(b"key-%02d" % n, b"\xff" * 40 * KIB, 0, n, n, None) for n in range(20)]
WIDE = replace(LIMITS, keys_per_request_max=1_000, read_bytes_max=16 * MIB)
ENTRIES = "{ entries(first: 20) { edges { node { %s } } } }"

back_ends = pytest.mark.parametrize("executor", [Executor, GraphQLCoreOnly])


def within(**budgets: Any) -> ExecutorLimits:
    return replace(EXECUTOR_LIMITS, budgets=replace(BUDGET_LIMITS, **budgets))


async def refusal(application: Application, document: str, **variables: Any) -> dict[str, Any]:
    """The extensions of the only error of an answer that has no data."""
    answer = await application.query(document, **variables)
    (error,) = answer["errors"]
    assert answer.get("data") is None
    extensions: dict[str, Any] = error["extensions"]
    return extensions


def refused(setting: str, limit: float, **details: Any) -> dict[str, Any]:
    return {"code": "LIMIT_EXCEEDED", "setting": setting, "limit": limit, **details}


@back_ends
async def test_cost_beyond_the_limit_is_refused_before_anything_is_read(
    tmp_path: Path, executor: type[Executor], table: str
) -> None:
    limits = within(cost_max=1)
    async with open_application(tmp_path, LARGE, executor=executor, executor_limits=limits, name=table) as application:
        assert await refusal(application, '{ value(key: "key-01") { size } }') == refused(
            "KVS_QUERY_COST_MAX", 1, cost=2
        )
        assert (await application.query("{ __typename }"))["data"] == {"__typename": "Query"}
        assert application.counted("kvs_errors_total", code="LIMIT_EXCEEDED") == 1
        assert application.counted("kvs_operation_cost_total") == 1


async def test_small_entries_of_a_large_page_are_shown_as_wholes(tmp_path: Path) -> None:
    """However many they are: in parts, each of their fields would take several calls more."""
    count, value = 500, b'{"text": "%s"}' % (b"x" * 8 * KIB)
    records = [Record(b"key-%03d" % number, value, 0, number, number, None) for number in range(count)]
    document = ENTRIES.replace("20", str(count)) % "key size partition offset timestamp json"
    calls = 0

    def count_call(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    limits = replace(WIDE, page_entries_max=count)
    async with open_application(tmp_path, records, limits=limits, threads=False) as application:
        first = await application.query(document)
        sys.setprofile(count_call)
        try:
            again = await application.query(document)
        finally:
            sys.setprofile(None)
    assert again == first
    assert len(again["data"]["entries"]["edges"]) == count
    assert calls < 60 * count


@pytest.mark.parametrize("transport", [WEBSOCKET, SSE, MULTIPART, SINGLE_CONNECTION])
@pytest.mark.parametrize("document", ["subscription { updates { key kind } }", '{ value(key: "a") { key size } }'])
async def test_cost_beyond_the_limit_is_refused_on_every_transport(
    embedded_broker: EmbeddedBroker, tmp_path: Path, transport: Transport, document: str, table: str
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, table=table, query_cost_max=2) as topic,
        transport(topic.served, document) as results,
    ):
        (answer,) = [result async for result in results]
    (error,) = answer["errors"]
    assert error["extensions"] == refused("KVS_QUERY_COST_MAX", 2, cost=3)


@back_ends
@pytest.mark.parametrize("fields", ["key size json value", 'a: value b: value c: json(pointer: "/text")'])
async def test_large_answers_are_the_same_in_turns(
    tmp_path: Path, executor: type[Executor], fields: str, table: str
) -> None:
    async with open_application(tmp_path, LARGE, executor=executor, limits=WIDE, name=table) as application:
        answer = await application.query(ENTRIES % fields)
    text = "x" * 40 * KIB
    shown = {
        "key": None,
        "size": len(VALUE),
        "json": {"number": 1, "text": text},
        "value": VALUE,
        "a": VALUE,
        "b": VALUE,
        "c": text,
    }
    nodes = [edge["node"] for edge in answer["data"]["entries"]["edges"]]
    assert len(nodes) == 20
    for number, node in enumerate(nodes):
        assert node == {name: shown[name] for name in node} | ({"key": f"key-{number:02}"} if "key" in node else {})


@back_ends
@pytest.mark.parametrize("fields", ["value", "a: size json"])
async def test_response_beyond_its_bytes_is_refused(
    tmp_path: Path, executor: type[Executor], table: str, fields: str
) -> None:
    limits = within(response_bytes_max=len(VALUE))
    async with open_application(
        tmp_path, LARGE, executor=executor, limits=WIDE, executor_limits=limits, name=table
    ) as application:
        assert await refusal(application, ENTRIES % fields) == refused("KVS_RESPONSE_BYTES_MAX", len(VALUE))


@pytest.mark.parametrize("transport", [WEBSOCKET, SSE, MULTIPART, SINGLE_CONNECTION])
@pytest.mark.parametrize(
    "document", ["subscription { updates(snapshot: true) { key } }", '{ value(key: "a") { key } }', "{ __typename }"]
)
async def test_response_beyond_one_byte_is_refused_on_every_transport(
    embedded_broker: EmbeddedBroker, tmp_path: Path, transport: Transport, document: str, table: str
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, (b"a", b"1"), table=table, response_bytes_max=1) as topic,
        transport(topic.served, document) as results,
    ):
        answer = await anext(results)
    (error,) = answer["errors"]
    assert error["extensions"] == refused("KVS_RESPONSE_BYTES_MAX", 1)


@back_ends
async def test_names_for_the_same_large_value_do_not_multiply_what_is_held(
    tmp_path: Path, executor: type[Executor]
) -> None:
    aliases = " ".join(f'a{n}: json(pointer: "/text")' for n in range(20))
    limits = within(response_bytes_max=MIB)
    async with open_application(tmp_path, LARGE, executor=executor, limits=WIDE, executor_limits=limits) as application:
        document = f"query($k: [String!]!) {{ values(keys: $k) {{ {aliases} }} }}"
        found = await refusal(application, document, k=["key-01"] * 20)
        assert found == refused("KVS_RESPONSE_BYTES_MAX", MIB)


TEXT = '{"text": "%s"}' % ("x" * 450_000)
CONTROLS = "\x01" * 450_000
MANY_TEXTS = " ".join(f'a{n}: json(pointer: "/text")' for n in range(20))
MANY_VALUES = " ".join(f"a{n}: value" for n in range(20))


@back_ends
@pytest.mark.parametrize(
    ("value", "count", "document", "response_bytes_max", "peak_bytes_max"),
    [
        pytest.param(TEXT, 1, f'{{ value(key: "key-00") {{ {MANY_TEXTS} }} }}', MIB // 2, 5 * MIB, id="fields"),
        pytest.param(
            TEXT, 12, f"{{ entries(first: 20) {{ edges {{ node {{ {MANY_VALUES} }} }} }} }}", MIB, 40 * MIB, id="items"
        ),
        pytest.param(CONTROLS, 1, f'{{ value(key: "key-00") {{ {MANY_VALUES} }} }}', 10 * MIB, 50 * MIB, id="escapes"),
    ],
)
async def test_answer_beyond_its_bytes_is_given_up_before_it_is_made(
    tmp_path: Path,
    executor: type[Executor],
    value: str,
    count: int,
    document: str,
    response_bytes_max: int,
    peak_bytes_max: int,
) -> None:
    """Whole, the first would take 10 MB, the others 100."""
    records = [Record(b"key-%02d" % n, value.encode(), 0, n, n, None) for n in range(count)]
    limits = within(response_bytes_max=response_bytes_max)
    options: dict[str, Any] = {"executor": executor, "limits": WIDE, "executor_limits": limits, "threads": False}
    async with open_application(tmp_path, records, **options) as application:
        await application.query(document)
        tracemalloc.start()
        try:
            found = await refusal(application, document)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found == refused("KVS_RESPONSE_BYTES_MAX", response_bytes_max)
    assert peak < peak_bytes_max


@pytest.mark.parametrize(
    ("document", "is_large"),
    [
        pytest.param('{ value(key: "key-01") { value } }', False, id="little"),
        pytest.param(ENTRIES % " ".join(f"a{n}: value" for n in range(20)), True, id="text"),
        pytest.param(ENTRIES % "value json", False, id="in turns"),
    ],
)
async def test_only_few_operations_make_much_text_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, document: str, is_large: bool
) -> None:
    """All that is made in turns is in memory until it is encoded."""
    entered, enter = list[Workload](), Workload.enter

    async def counted_enter(self: Workload) -> None:
        entered.append(self)
        await enter(self)

    monkeypatch.setattr(Workload, "enter", counted_enter)
    async with open_application(tmp_path, LARGE, limits=WIDE) as application:
        await application.query(document)
    assert len(entered) == is_large


@back_ends
async def test_errors_beyond_their_limit_refuse_the_answer(
    tmp_path: Path, executor: type[Executor], table: str
) -> None:
    async with open_application(
        tmp_path, BINARY, executor=executor, limits=WIDE, executor_limits=within(errors_max=20), name=table
    ) as application:
        answer = await application.query(ENTRIES % "value")
        assert [error["path"][2] for error in answer["errors"]] == list(range(20))
        assert await refusal(application, ENTRIES % "value json") == refused("KVS_ERRORS_PER_RESPONSE_MAX", 20)


@back_ends
async def test_large_operation_that_takes_too_long_is_refused(tmp_path: Path, executor: type[Executor]) -> None:
    limits = within(execution_seconds_max=1e-9)
    async with open_application(tmp_path, LARGE, executor=executor, limits=WIDE, executor_limits=limits) as application:
        # Eight megabytes take longer than one turn on any machine.
        document = ENTRIES % " ".join(f"a{n}: json" for n in range(10))
        assert await refusal(application, document) == refused("KVS_EXECUTION_SECONDS_MAX", 1e-9)


async def test_large_operations_all_end_whatever_their_limit(tmp_path: Path) -> None:
    async with open_application(
        tmp_path, LARGE * 1, limits=WIDE, executor_limits=within(large_operations_max=1)
    ) as application:
        document = ENTRIES % "value json"
        answers = await asyncio.gather(*(application.query(document) for _ in range(5)))
        assert all(len(answer["data"]["entries"]["edges"]) == 20 for answer in answers)
        await refusal(application, ENTRIES % " ".join(f"a{n}: value" for n in range(20)))
        assert (await application.query(document))["data"] is not None, "a refused operation gives its room back"


@back_ends
async def test_large_operation_that_waits_for_a_cursor_holds_up_no_other(
    tmp_path: Path, executor: type[Executor]
) -> None:
    limits = replace(WIDE, wait_seconds_max=NEVER_SECONDS)
    one = within(large_operations_max=1, execution_seconds_max=SECONDS_MAX)
    document = 'query($c: Cursor) { __schema { types { name } } value(key: "a", atLeast: $c) { key } }'
    async with (
        open_application(tmp_path, LARGE, executor=executor, limits=limits, executor_limits=one) as application,
        asyncio.timeout(SECONDS_MAX),
    ):
        never = Cursor(TOPIC_ID, (1_000_000,)).encode()
        waiting = asyncio.ensure_future(application.query(document, c=never))
        await application.query("{ status { entries } }")
        # By its cost, this is a large operation.
        large = '{ __schema { types { name } } value(key: "a") { key } }'
        assert (await application.query(large))["data"] is not None
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])


@back_ends
async def test_slow_operation_is_logged_with_what_it_cost(tmp_path: Path, executor: type[Executor]) -> None:
    limits = replace(EXECUTOR_LIMITS, slow_operation_seconds=1e-9)
    async with open_application(tmp_path, LARGE, executor=executor, executor_limits=limits) as application:
        with capture_logs() as logged:
            await application.query('query Sizes { value(key: "key-01") { size } }')
    (line,) = logged
    assert line.pop("seconds") >= 0
    assert line == {
        "event": "slow operation",
        "log_level": "warning",
        "operation": "Sizes",
        "type": "query",
        "transport": "http",
        "cost": 2,
        "records_read": 1,
        "bytes_read": LARGE[1].size_bytes,
        "not_logged": 0,
    }


@back_ends
async def test_value_too_large_to_be_parsed_has_an_error_and_the_rest_of_its_answer(
    tmp_path: Path, executor: type[Executor]
) -> None:
    limits = replace(EXECUTOR_LIMITS, json_bytes_max=1)
    records = [Record(b"one", b"1", 0, 0, 0, None), Record(b"two", b"22", 0, 1, 0, None)]
    async with open_application(tmp_path, records, executor=executor, executor_limits=limits) as application:
        answer = await application.query('{ values(keys: ["one", "two"]) { json value } }')
    assert answer["data"]["values"] == [{"json": 1, "value": "1"}, {"json": None, "value": "22"}]
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]) == (["values", 1, "json"], refused("KVS_JSON_BYTES_MAX", 1))


@back_ends
async def test_value_too_large_to_be_as_deep_as_it_is_has_an_error_and_the_rest_of_its_answer(
    tmp_path: Path, executor: type[Executor]
) -> None:
    deep = b"[" * 20_000 + b"]" * 20_000
    records = [Record(b"one", b"1", 0, 0, 0, None), Record(b"two", deep, 0, 1, 0, None)]
    async with open_application(tmp_path, records, executor=executor) as application:
        answer = await application.query('{ values(keys: ["one", "two"]) { json size } }')
    assert answer["data"]["values"] == [{"json": 1, "size": 1}, {"json": None, "size": 40_000}]
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]) == (["values", 1, "json"], {"code": "LIMIT_EXCEEDED"})


@back_ends
async def test_subscription_goes_on_after_an_event_beyond_its_budget(tmp_path: Path, executor: type[Executor]) -> None:
    aliases = " ".join(f"a{n}: value" for n in range(20))
    document = f"subscription {{ updates {{ key entry {{ {aliases} }} }} }}"
    limits = within(response_bytes_max=MIB)
    async with open_application(tmp_path, executor=executor, executor_limits=limits) as application:
        subscriber = Subscriber(room=100, expected=3)
        subscribing = asyncio.create_task(subscriber.subscribe(application, application.executor, document))
        await application.table.watched_by(1)
        await application.table.change((b"small", b"1"), (b"large", VALUE.encode() * 10), (b"last", b"2"))
        await subscribing
    first, refusal, last = subscriber.results
    assert (first["data"]["updates"]["key"], last["data"]["updates"]["key"]) == ("small", "last")
    assert refusal["data"] is None
    assert refusal["errors"][0]["extensions"] == refused("KVS_RESPONSE_BYTES_MAX", MIB)


class HeldUp(list[Any]):
    """A list that is read to its end only once the event loop has gone on."""

    def __init__(self, items: list[Any]) -> None:
        super().__init__(items)
        self.is_read, self.others_went_on = threading.Event(), threading.Event()
        self.held_up_others = False

    def __iter__(self) -> Iterator[Any]:
        self.is_read.set()
        self.held_up_others |= not self.others_went_on.wait(SECONDS_MAX)
        return super().__iter__()


@back_ends
@pytest.mark.parametrize("operation", ["query", "subscription"])
async def test_others_go_on_while_many_values_are_coerced(
    tmp_path: Path, executor: type[Executor], operation: str
) -> None:
    document = f"{operation}($keys: [String!]!) {{ values(keys: $keys) {{ id }} }}"
    keys = HeldUp(["a"] * 2_000 + [1])

    async def go_on() -> None:
        await asyncio.to_thread(keys.is_read.wait, SECONDS_MAX)
        keys.others_went_on.set()

    async with open_application(tmp_path, executor=executor) as application:
        connection = Connection(application.table.catalog, ANYONE, "websocket", application.metrics, nullcontext)
        prepared = application.executor.prepare(Request(document))
        assert isinstance(prepared, PreparedOperation)
        others = asyncio.create_task(go_on())
        outcome = await application.executor.stream(prepared, {"keys": keys}, connection, Subscriber())
        await others
    assert isinstance(outcome, Refusal)
    assert not keys.held_up_others


async def test_large_operations_that_wait_for_room_keep_nothing_of_what_they_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = 10
    waiting, all_wait, may_go_on = list[Budget](), asyncio.Event(), asyncio.Event()
    enlarge = Budget.enlarge

    async def held_up(self: Budget) -> None:
        waiting.append(self)
        if len(waiting) == many:
            all_wait.set()
        await may_go_on.wait()
        await enlarge(self)

    monkeypatch.setattr(Budget, "enlarge", held_up)
    records = [Record(b"key-%02d" % n, b"x" * 200 * KIB, 0, n, n, None) for n in range(20)]
    async with open_application(tmp_path, records, limits=WIDE) as application, asyncio.TaskGroup() as tasks:
        tracemalloc.start()
        try:
            asked = [tasks.create_task(application.query(ENTRIES % "key value")) for _ in range(many)]
            await all_wait.wait()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            may_go_on.set()
        for task in asked:
            assert len((await task)["data"]["entries"]["edges"]) == len(records)
    assert held < 3 * MIB, "beside what the connections to the database read last"


@back_ends
@pytest.mark.parametrize("document", ["{ values(keys: $keys) { value } }", "{ values(keys: $keys) { json } }"])
async def test_errors_keep_nothing_of_what_was_read(tmp_path: Path, executor: type[Executor], document: str) -> None:
    """Else what was read stays until the garbage collector comes, which may be after many more requests."""
    limits = within(response_bytes_max=100 * KIB)
    broken = [Record(b"key-%02d" % n, b"{" * 40 * KIB, 0, n, n, None) for n in range(20)]
    variables = {"keys": [f"key-{n:02}" for n in range(20)]}
    options: dict[str, Any] = {"executor": executor, "executor_limits": limits, "limits": WIDE}
    async with open_application(tmp_path, broken, **options) as application:

        async def ask() -> None:
            answer = await application.query(f"query($keys: [String!]!) {document}", **variables)
            assert answer["errors"]

        await ask()
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(5):
                await ask()
            # An answer can be there before its read has ended; the next one has let go of it.
            await application.query(f"query($keys: [String!]!) {document}", keys=[f"absent-{n}" for n in range(20)])
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
    assert held < MIB
