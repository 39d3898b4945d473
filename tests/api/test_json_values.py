"""Parts of large JSON values: whoever waits for one lets others go on meanwhile, on both back ends."""

import asyncio
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from kvs_graphql.api import JsonValues
from kvs_graphql.errors import LimitExceeded
from kvs_graphql.executor import Executor, Request
from kvs_graphql.records import Record
from kvs_graphql.turns import Turns
from tests.applications import BUDGET_LIMITS, EXECUTOR_LIMITS, Application, open_application
from tests.applications import LIMITS as _LIMITS
from tests.executor.subscribers import GraphQLCoreOnly, Subscriber
from tests.stacks import above, heights
from tests.turns import turns_taken

LIMITS = replace(_LIMITS, read_bytes_max=4_000_000)
ITEMS = 300_000
VALUE = b'{"list": [' + b",".join([b"{}"] * ITEMS) + b', [1.50]], "last": 1e999}'
RECORDS = [Record(b"large", VALUE, 0, 0, 0, None)]
FAR = f'json(pointer: "/list/{ITEMS}")'
PIECES_MIN = 200

back_ends = pytest.mark.parametrize("executor", [Executor, GraphQLCoreOnly])


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    return turns_taken(monkeypatch)


async def shown(application: Application, document: str) -> list[bytes]:
    """The answer to a query, or the first event of a subscription."""
    if not document.startswith("subscription"):
        return [(await application.post({"query": document})).content]
    subscriber = Subscriber()
    await subscriber.subscribe(application, application.executor, document)
    return [payload.result for payload in subscriber.payloads[:1]]


@back_ends
@pytest.mark.parametrize(
    "document",
    [
        '{ value(key: "large") { %s } }',
        '{ values(keys: ["large"]) { key %s } }',
        '{ value(key: "large") { history { %s } } }',
        'subscription { value(key: "large") { %s } }',
        "subscription { updates(snapshot: true) { entry { %s } } }",
    ],
)
async def test_part_that_is_far_away_is_found_in_turns(
    tmp_path: Path, executor: type[Executor], document: str, turns: list[None]
) -> None:
    async with open_application(tmp_path, RECORDS, executor=executor, limits=LIMITS) as application:
        (answer,) = await shown(application, document % (FAR + ' before: json(pointer: "/list/299999")'))
    assert b'"json":[1.50],"before":{}' in answer
    assert b"errors" not in answer
    # What leads to both is passed over once.
    assert PIECES_MIN <= len(turns) < 1.5 * PIECES_MIN


@back_ends
async def test_errors_after_a_turn_are_those_of_their_fields(
    tmp_path: Path, executor: type[Executor], turns: list[None]
) -> None:
    document = '{ value(key: "large") { %s none: json(pointer: "x") last: json(pointer: "/last") } }'
    async with open_application(tmp_path, RECORDS, executor=executor, limits=LIMITS) as application:
        answer = (await application.post({"query": document % FAR})).content
    assert b'"json":[1.50],"none":null,"last":1e999' in answer
    assert answer.count(b'"path":["value","none"]') == answer.count(b'"message"') == 1
    assert turns


async def test_part_that_takes_too_long_is_given_up(tmp_path: Path, turns: list[None]) -> None:
    limits = replace(EXECUTOR_LIMITS, budgets=replace(BUDGET_LIMITS, execution_seconds_max=1e-9))
    async with open_application(tmp_path, RECORDS, limits=LIMITS, executor_limits=limits) as application:
        document = f'{{ value(key: "large") {{ {FAR} }} }}'
        # A new document takes a turn, too.
        application.executor.prepare(Request(document))
        answer = await application.query(document)
    (error,) = answer["errors"]
    assert error["extensions"]["setting"] == "KVS_EXECUTION_SECONDS_MAX"
    assert len(turns) == 1


def test_part_for_which_the_stack_is_too_short_is_beyond_a_limit() -> None:
    levels = sys.getrecursionlimit() // 2
    record = Record(b"deep", b"[" + b"0," * 20_000 + b"[" * levels + b"]" * levels + b",7]", 0, 0, 0, None)
    for frames in heights(step=10):
        values = JsonValues(10**6)
        assert values.part(record, "/0")
        with suppress(LimitExceeded):
            found = above(frames, partial(values.part, record, "/20001"))
            assert found is not None
            assert found.text == b"7"


async def test_part_that_is_far_away_is_rendered_once_for_all_subscribers(tmp_path: Path, turns: list[None]) -> None:
    document = f"subscription {{ updates {{ key entry {{ {FAR} }} }} }}"
    subscribers = [Subscriber() for _ in range(5)]
    async with open_application(tmp_path, limits=LIMITS) as application:
        executor = application.executor
        subscribed = [asyncio.create_task(one.subscribe(application, executor, document)) for one in subscribers]
        await application.table.watched_by(len(subscribers))
        rendered = application.counted("kvs_renderings_total")
        await application.table.change((b"large", VALUE))
        await asyncio.gather(*subscribed)
        assert application.counted("kvs_renderings_total") == rendered + 1
    for one in subscribers:
        assert one.results == [{"data": {"updates": {"key": "large", "entry": {"json": [1.5]}}}}]
    assert PIECES_MIN <= len(turns) < 1.5 * PIECES_MIN


async def test_update_that_takes_turns_comes_before_later_ones_and_holds_up_no_other_subscriber(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turns: list[None]
) -> None:
    take, has_begun, may_go_on = Turns.next, asyncio.Event(), asyncio.Event()

    async def held(self: Turns) -> None:
        await take(self)
        if len(turns) > 1:
            has_begun.set()
            await may_go_on.wait()

    monkeypatch.setattr(Turns, "next", held)
    document = f"subscription {{ updates%s {{ key entry {{ {FAR} }} }} }}"
    both, other = Subscriber(room=100, expected=3), Subscriber(room=100)
    async with open_application(tmp_path, limits=LIMITS) as application, asyncio.TaskGroup() as tasks:
        for subscriber, keys in ((both, ""), (other, '(keys: ["other"])')):
            tasks.create_task(subscriber.subscribe(application, application.executor, document % keys))
        await application.table.watched_by(2)
        await application.table.change((b"large", VALUE))
        await has_begun.wait()
        await application.table.change((b"other", b"{}"), (b"large", b"{}"))
        await other.complete.wait()
        assert not both.results
        may_go_on.set()
    shown = [(one["data"]["updates"]["key"], one["data"]["updates"]["entry"]["json"]) for one in both.results]
    assert shown == [("large", [1.5]), ("other", None), ("large", None)]
    assert other.results == [{"data": {"updates": {"key": "other", "entry": {"json": None}}}}]


@pytest.mark.parametrize(("text_bytes", "made_again"), [(256 * 1024, 0), (1024 * 1024, 3)])
def test_kept_values_count_with_the_text_that_few_bytes_become(text_bytes: int, made_again: int) -> None:
    made = list[Record]()

    def text_of(record: Record) -> bytes:
        made.append(record)
        return b'"' + b"x" * text_bytes + b'"'

    values = JsonValues(2 * text_bytes, text_of)
    records = [Record(b"%d" % n, b"few", 0, n, n, None) for n in range(3)]
    for record in records * 2:
        values.part(record, "")
    assert len(made) == len(records) + made_again
