"""What an operation may use of Strawberry and GraphQL: it has the same answer whichever back end executes it."""

from collections.abc import AsyncIterator
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import pytest
import strawberry
from strawberry import Info, Maybe
from strawberry.types.field import StrawberryField

from kvs_graphql.access import ANYONE
from kvs_graphql.api import Source
from kvs_graphql.api.context import Operation, OperationInfo
from kvs_graphql.records import Interest, Record
from kvs_graphql.service import Start, Update
from tests.applications import Application, open_application
from tests.executor.subscribers import GraphQLCoreOnly
from tests.web.calls import app_of, open_socket


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@strawberry.input
class Wish:
    name: str
    colour: Colour = Colour.RED


class Shouting(StrawberryField):
    """A field with a way of its own to its value."""

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> str:
        return str(super().get_result(source, info, args, kwargs)).upper()


def named(root: "Thing", name: str) -> str:
    """A resolver that gets its object by another name than `self`."""
    return f"{root.number} {name}"


@strawberry.interface
class Node:
    number: int = 1


@strawberry.type
class Thing(Node):
    word: str = Shouting(python_name="word", graphql_name="word", type_annotation=None, default="quiet")  # type: ignore[assignment]
    named: str = strawberry.field(resolver=named)

    @strawberry.field
    def wished(self, wish: Wish) -> str:
        return f"{wish.name} {wish.colour.name}"

    @strawberry.field
    def perhaps(self, number: Maybe[int]) -> str:
        return repr(number)

    @strawberry.field
    def colours(self, colours: list[Colour]) -> list[Colour]:
        return colours


@strawberry.type
class Other(Node):
    letter: str = "x"


@strawberry.type
class Unsure:
    number: int = 1

    @classmethod
    def is_type_of(cls, *_: object) -> bool:
        return False


Either = Annotated[Thing | Other, strawberry.union("Either")]


@strawberry.type
class Query:
    @strawberry.field
    async def thing(self, info: OperationInfo) -> Thing:
        return Thing()

    @strawberry.field
    async def either(self, info: OperationInfo) -> Either:
        return Other()

    @strawberry.field
    async def unsure(self, info: OperationInfo) -> Unsure | None:
        return Unsure()

    @strawberry.field
    async def wished(self, info: OperationInfo, wish: Wish) -> str:
        return f"{wish.name} {wish.colour.name}"

    @strawberry.field
    async def uninformed(self) -> str:
        return "no info"

    @strawberry.field
    async def renamed(self, about: Info[Operation, None]) -> bool:
        return isinstance(about.context, Operation)


@strawberry.type
class Changed:
    @strawberry.field
    def thing(self) -> Thing:
        return Thing()


@strawberry.type
class Subscription:
    @strawberry.subscription
    def updates(self, info: OperationInfo) -> AsyncIterator[Changed]:
        table, start = info.context.catalog.tables[""], Start(snapshot=True)
        source = Source(
            lambda sink: table.updates(ANYONE, Interest(), start, sink), lambda _: Changed(), _no_size, updates=True
        )
        return cast("AsyncIterator[Changed]", source)

    @strawberry.subscription
    def keys(self, info: OperationInfo) -> AsyncIterator[str]:
        table, start = info.context.catalog.tables[""], Start(snapshot=True)
        source = Source(partial(table.updates, ANYONE, Interest(), start), _key_of, _no_size, updates=True)
        return cast("AsyncIterator[str]", source)


def _no_size(_: Update) -> tuple[int, int]:
    return 1, 0


def _key_of(update: Update) -> str:
    return "" if update.record is None else update.record.key.decode()


SCHEMA = strawberry.Schema(query=Query, subscription=Subscription, types=[Other])
_WISH = {"name": "a kite", "colour": "BLUE"}
_OPERATIONS: list[tuple[str, dict[str, Any]]] = [
    ("{ thing { ... on Either { __typename ... on Thing { number } } } }", {}),
    ("{ thing { ... on Node { number ... on Other { letter } } } }", {}),
    ("{ thing { ... on Node { ... on Other { letter } } } }", {}),
    ("{ either { ... on Node { number } ... on Other { letter } } }", {}),
    ("{ unsure { number } }", {}),
    ('{ wished(wish: { name: "a kite" }) thing { wished(wish: { name: "a kite", colour: BLUE }) } }', {}),
    ("query ($wish: Wish!) { wished(wish: $wish) thing { wished(wish: $wish) } }", {"wish": _WISH}),
    ("query ($wish: Wish!) { wished(wish: $wish) }", {"wish": {"colour": "GREEN"}}),
    ("{ thing { perhaps(number: 1) } }", {}),
    ("query ($number: Int!) { thing { perhaps(number: $number) } }", {"number": 2}),
    ("{ thing { colours(colours: [RED, BLUE]) } }", {}),
    ("query ($colours: [Colour!]!) { thing { colours(colours: $colours) } }", {"colours": ["BLUE", "BLUE"]}),
    ("query ($colours: [Colour!]!) { thing { colours(colours: $colours) } }", {"colours": "BLUE"}),
    ("query ($colour: Colour = RED) { thing { colours(colours: [$colour]) } }", {}),
    ('{ thing { word named(name: "x") } }', {}),
    ("{ uninformed }", {}),
    ("{ renamed }", {}),
]


@pytest.fixture
async def applications(tmp_path: Path) -> AsyncIterator[list[Application]]:
    """The same table behind an executor that compiles, and behind one that does not."""
    records = [Record(b"key", b"value", 0, 0, 1, None)]
    for directory in ("compiled", "core"):
        (tmp_path / directory).mkdir()
    async with (
        open_application(tmp_path / "compiled", records, schema=SCHEMA) as compiled,
        open_application(tmp_path / "core", records, schema=SCHEMA, executor=GraphQLCoreOnly) as core,
    ):
        yield [compiled, core]


@pytest.mark.parametrize(("document", "variables"), _OPERATIONS, ids=range(len(_OPERATIONS)))
async def test_query_has_the_same_answer_on_both_back_ends(
    applications: list[Application], document: str, variables: dict[str, Any]
) -> None:
    compiled, core = [await application.query(document, **variables) for application in applications]
    assert compiled == core
    assert "INTERNAL" not in str(core)
    assert "VALIDATION" not in str(core)


@pytest.mark.parametrize(
    "selection",
    ["... on Node { ... on Other { letter } }", "... on Either { __typename }", 'wished(wish: { name: "a kite" })'],
)
async def test_subscription_has_the_same_events_on_both_back_ends(
    applications: list[Application], selection: str
) -> None:
    events = []
    for application in applications:
        async with open_socket(app_of(application)) as socket:
            document = f"subscription {{ updates {{ thing {{ {selection} }} }} }}"
            socket.send(type="subscribe", id="1", payload={"query": document})
            events.append([await socket.receive() for _ in range(2)])
    assert events[0] == events[1]
    assert "errors" not in str(events)


async def test_subscribers_to_a_scalar_get_the_name_that_they_chose(applications: list[Application]) -> None:
    for application in applications:
        async with open_socket(app_of(application)) as socket:
            for name in ("one", "other"):
                socket.send(type="subscribe", id=name, payload={"query": f"subscription {{ {name}: keys }}"})
            events = [await socket.receive() for _ in range(4)]
        assert [event["payload"]["data"] for event in events if event["id"] == "one"] == [{"one": "key"}, {"one": ""}]
        assert [event["payload"]["data"] for event in events if event["id"] == "other"] == [
            {"other": "key"},
            {"other": ""},
        ]
