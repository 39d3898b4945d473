"""Permissions hold on both back ends, and principals with different rights share no rendering."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
import strawberry
from strawberry.permission import BasePermission

from kvs_graphql.access import ANYONE, Access, Grant, Grants, Verb
from kvs_graphql.api import Connection, Source
from kvs_graphql.api.context import OperationInfo
from kvs_graphql.api.permissions import AccessPermission
from kvs_graphql.executor import Executed, PreparedOperation, Request
from kvs_graphql.records import Interest, Record
from kvs_graphql.service import Start, Update
from tests.applications import Application, open_application
from tests.deadline import SECONDS_MAX
from tests.executor.subscribers import Subscriber

ALICE = Access("alice", Grants(frozenset({Grant(Verb.READ), Grant(Verb.STATUS)})))
BOB = Access("bob", Grants(frozenset({Grant(Verb.READ)})))
RECORD = Record(b"key", b"secret", 0, 0, None, None)
FORBIDDEN = {"code": "FORBIDDEN"}


class OnlyAlice(AccessPermission):
    def allows(self, access: Access) -> bool:
        return access == ALICE


class NotThisKey(BasePermission):
    """Depends on more than the principal, so only graphql-core can honour it."""

    message = "Not this key."
    error_extensions = {"code": "FORBIDDEN"}  # noqa: RUF012

    def has_permission(self, source: Any, info: OperationInfo, **_: Any) -> bool:
        return bool(source.record.key != b"key")


@strawberry.type
class Shown:
    record: strawberry.Private[Record]

    @strawberry.field
    def key(self) -> str:
        return self.record.key.decode()

    @strawberry.field(permission_classes=[OnlyAlice])
    def for_alice(self) -> str | None:
        return (self.record.value or b"").decode()

    @strawberry.field(permission_classes=[NotThisKey])
    def for_others(self) -> str | None:
        return (self.record.value or b"").decode()


@strawberry.type
class Query:
    @strawberry.field
    async def entry(self, info: OperationInfo, key: str) -> Shown | None:
        (record,) = await info.context.reads("").get_many([key.encode()])
        return None if record is None else Shown(record=record)

    @strawberry.field(permission_classes=[OnlyAlice])
    async def secret(self, info: OperationInfo) -> str | None:
        return "secret"


def changes(info: OperationInfo) -> AsyncIterator[Shown]:
    """The changes of all keys."""
    table = info.context.catalog.tables[""]
    source: Source[Update] = Source(
        lambda sink: table.updates(ANYONE, Interest(), Start(), sink),
        lambda update: Shown(record=cast("Record", update.record)),
        lambda _: (1, 0),
        updates=True,
    )
    return cast("AsyncIterator[Shown]", source)


@strawberry.type
class Subscription:
    @strawberry.subscription
    def updates(self, info: OperationInfo) -> AsyncIterator[Shown]:
        return changes(info)

    @strawberry.subscription(permission_classes=[OnlyAlice])
    def secrets(self, info: OperationInfo) -> AsyncIterator[Shown]:
        return changes(info)


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    schema = strawberry.Schema(Query, subscription=Subscription)
    async with open_application(tmp_path, [RECORD], schema=schema) as application:
        yield application


async def ask(application: Application, access: Access, document: str) -> dict[str, Any]:
    executor = application.executor
    prepared = executor.prepare(Request(document))
    assert isinstance(prepared, PreparedOperation)
    connection = Connection(application.table.catalog, access, "http", application.metrics, nullcontext)
    answer = await executor.execute(prepared, None, connection)
    assert isinstance(answer, Executed)
    result: dict[str, Any] = orjson.loads(answer.encode())
    return result


@pytest.mark.parametrize(
    "document",
    ['{ entry(key: "key") { key forAlice } }', '{ entry(key: "key") { ...F } } fragment F on Shown { key forAlice }'],
)
async def test_permission_of_a_field_holds_in_compiled_queries(application: Application, document: str) -> None:
    alice, bob = await asyncio.gather(ask(application, ALICE, document), ask(application, BOB, document))
    assert application.counted("kvs_operations_total", backend="compiled") == 2
    assert (alice["data"], "errors" in alice) == ({"entry": {"key": "key", "forAlice": "secret"}}, False)
    assert bob["data"] == {"entry": {"key": "key", "forAlice": None}}
    assert [(e["path"], e["extensions"]) for e in bob["errors"]] == [(["entry", "forAlice"], FORBIDDEN)]


async def test_permission_of_a_root_field_holds_in_compiled_queries(application: Application) -> None:
    assert (await ask(application, ALICE, "{ secret }"))["data"] == {"secret": "secret"}
    bob = await ask(application, BOB, "{ secret }")
    assert bob["data"] == {"secret": None}
    assert [(e["path"], e["extensions"]) for e in bob["errors"]] == [(["secret"], FORBIDDEN)]
    assert application.counted("kvs_operations_total", backend="compiled") == 2


async def test_operation_with_any_other_permission_is_left_to_graphql_core(application: Application) -> None:
    answer = await ask(application, ALICE, '{ entry(key: "key") { forOthers } }')
    assert answer["data"] == {"entry": {"forOthers": None}}
    assert [e["extensions"] for e in answer["errors"]] == [FORBIDDEN]
    assert application.counted("kvs_operations_total", backend="graphql-core") == 1


@pytest.mark.parametrize("room", [0, 100], ids=["by their own task", "directly"])
async def test_subscribers_with_different_rights_share_no_rendering(application: Application, room: int) -> None:
    document = "subscription { updates { key forAlice } }"
    subscribers = [(Subscriber(room, expected=2), access) for access in (ALICE, BOB, ALICE, BOB)]
    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        for subscriber, access in subscribers:
            tasks.create_task(subscriber.subscribe(application, application.executor, document, access))
        await application.table.watched_by(len(subscribers))
        await application.table.change((b"key", b"new"), (b"key", b"newer"))
    for subscriber, access in subscribers:
        shown = [result["data"]["updates"]["forAlice"] for result in subscriber.results]
        assert shown == (["new", "newer"] if access is ALICE else [None, None])
        # Renderings with errors are delivered by the subscriber's own task.
        assert subscriber.direct == (min(room, 2) if access is ALICE else 0)
    assert subscribers[0][0].payloads[0] is subscribers[2][0].payloads[0], "equal principals share a rendering"


@pytest.mark.parametrize(("selected", "backend"), [("key", "compiled"), ("key forOthers", "graphql-core")])
async def test_permission_of_a_root_field_holds_in_subscriptions(
    application: Application, selected: str, backend: str
) -> None:
    document = f"subscription {{ secrets {{ {selected} }} }}"
    alice, bob = Subscriber(), Subscriber()
    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        await bob.subscribe(application, application.executor, document, BOB)
        assert application.table.feed.watchers == 0
        tasks.create_task(alice.subscribe(application, application.executor, document, ALICE))
        await application.table.watched_by(1)
        await application.table.change((b"key", b"new"))
    (refused,) = bob.results
    assert refused["data"] is None
    assert [(error["path"], error["extensions"]) for error in refused["errors"]] == [(["secrets"], FORBIDDEN)]
    (shown,) = alice.results
    assert shown["data"]["secrets"]["key"] == "key"
    assert application.counted("kvs_operations_total", backend=backend) == 2
