"""Access rules hold by whatever type of the schema a field is reached (Federation GHSA-mx7m-j9xf-62hw)."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from kvs_graphql.api.encodings import id_of
from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.cursor import decode_cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.known_holes.asking import TRANSPORTS, ask
from tests.serving import Served, produce, serving_tables

pytestmark = pytest.mark.asyncio(loop_scope="package")

MARK = "5ec2e7"
PARTITIONS = 3
READER, WRITER = new_token(), new_token()
THEIRS, MINE = (id_of(b"orders\0" + key) for key in (b"theirs/1", b"mine/1"))
VALUE = "value data: json size"
WAYS = {
    "interface": f"... on AnyEntry {{ {VALUE} }}",
    "type": f"... on OrdersEntry {{ {VALUE} }}",
    "interface within an interface": f"... on Node {{ ... on AnyEntry {{ {VALUE} }} }}",
    "type within an interface": f"... on AnyEntry {{ ... on OrdersEntry {{ {VALUE} history {{ value }} }} }}",
    "interface within a type": "... on OrdersEntry { ... on AnyEntry { history { ... on AnyRevision { value } } } }",
    "named fragments": f"...A ...O }} }} fragment A on AnyEntry {{ {VALUE} }} fragment O on OrdersEntry {{ ... {{ ...A",
}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def granted(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A table whose reader may read some of its keys, and whose writer may read nothing."""
    servers, topic = embedded_broker.bootstrap_servers, f"topic-{uuid4().hex}"
    embedded_broker.create_topic(topic, PARTITIONS)
    others = [(f"other/{number}".encode(), b"1") for number in range(30)]
    positions = await produce(servers, topic, (b"mine/1", b'"mine"'), (b"theirs/1", f'"{MARK}"'.encode()), *others)
    assert all(positions), "each partition has records"
    settings: dict[str, Any] = {
        "tokens": (f"reader:{hash_of(READER)}", f"writer:{hash_of(WRITER)}"),
        "grants": [
            {"to": ["token:reader"], "verbs": ["read"], "tables": ["orders"], "prefixes": ["mine/"]},
            {"to": ["token:writer"], "verbs": ["write"], "tables": ["orders"]},
        ],
    }
    tables = {"orders": {"topic": topic, "writes": True}}
    async with serving_tables(servers, tables, tmp_path_factory.mktemp("granted"), **settings) as served:
        await served.state(State.LIVE, "orders")
        await served.applied(positions, "orders")
        yield served


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("way", WAYS)
async def test_node_is_no_way_around_a_grant(granted: Served, transport: str, way: str) -> None:
    theirs, mine = (f'{{ node(id: "{one}") {{ __typename {WAYS[way]} }} }}' for one in (THEIRS, MINE))
    found = await ask(granted, transport, theirs, token=READER)
    assert MARK not in found.text
    assert '"node":null' in found.text
    found = await ask(granted, transport, mine, token=READER)
    assert "mine" in found.text, "the way leads to what may be read"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_no_alias_and_no_list_shows_one_field_what_another_may_read(granted: Served, transport: str) -> None:
    pairs = [
        f'a{number}: ordersValue(key: "mine/1") {{ ...F }} b{number}: ordersValue(key: "theirs/1") {{ ...F }}'
        for number in range(5)
    ]
    more = (
        'c: ordersValues(keys: ["theirs/1", "mine/1", "theirs/1"]) { key } d: ordersEntries { edges { node { ...F } } }'
    )
    fragment = "fragment F on AnyEntry { key value history { value } }"
    found = await ask(granted, transport, f"{{ {' '.join(pairs)} {more} }} {fragment}", token=READER)
    assert MARK not in found.text
    assert "theirs" not in found.text
    assert found.text.count('"key":"mine/1"') == len(pairs) + 2
    assert '"c":[null,{"key":"mine/1"},null]' in found.text


@pytest.mark.parametrize("transport", [name for name in TRANSPORTS if not name.startswith("get")])
@pytest.mark.parametrize(
    "way",
    [
        "... on AnyWrite { entry { value } }",
        "... on OrdersWrite { ... on AnyWrite { entry { ... on AnyEntry { value } } } }",
        "entry { ... on AnyEntry { value history { ... on AnyRevision { value } } } }",
    ],
)
async def test_write_is_no_way_around_a_grant(granted: Served, transport: str, way: str) -> None:
    document = f'mutation {{ ordersSet(key: "theirs/1", value: "{MARK}") {{ key {way} }} }}'
    found = await ask(granted, transport, document, token=WRITER)
    assert '"entry":null' in found.text
    assert MARK not in found.text


async def test_cursor_of_a_write_tells_a_principal_that_reads_nothing_no_other_position(granted: Served) -> None:
    for write in ('ordersSet(key: "theirs/1", value: "1")', 'ordersDelete(key: "theirs/1")'):
        asked = {"query": f"mutation {{ written: {write} {{ cursor partition offset }} }}"}
        headers = {"authorization": f"Bearer {WRITER}"}
        found = (await granted.http.post("/graphql", json=asked, headers=headers)).json()
        written = found["data"]["written"]
        for token in (written["cursor"], found["extensions"]["cursor"]):
            positions = decode_cursor(token, "orders").positions
            assert positions == (*[0] * written["partition"], written["offset"] + 1)
