"""Grants hold in every field, argument and transport. The operations are made from the schema.

Each root field is asked for, with every field below it, by each principal on every transport that carries it. An
argument that these tests do not know fails them: whoever adds one says what it could tell of a forbidden key.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import pytest
import pytest_asyncio
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from kvs_graphql.access import Access, Grant, Grants, Verb, Visible
from kvs_graphql.api import build_schema
from kvs_graphql.api.encodings import id_of
from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.compat.strawberry import graphql_schema
from kvs_graphql.cursor import decode_cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.serving import Served, produce, serving_tables
from tests.transports import MULTIPART_ACCEPT, TRANSPORT_WS, open_stream
from tests.web.posting import JSON

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARK = "5ec2e7"
"""In keys, values and headers that only the operator may see."""
VALUE = f'"{MARK}"'.encode()
THEIRS, MINE, SENTINEL = f"theirs/{MARK}", "mine/1", "mine/last"
ABSENT = "theirs/absent"
TABLES = {"orders": True, "customers": False}
SCHEMA: GraphQLSchema = graphql_schema(build_schema(TABLES))
ROOTS = {"query": SCHEMA.query_type, "mutation": SCHEMA.mutation_type, "subscription": SCHEMA.subscription_type}
FIELDS = [(kind, name) for kind, root in ROOTS.items() if root is not None for name in root.fields]
TRANSPORTS = {
    "query": ["post", "get", "sse", "multipart", "single connection", "websocket"],
    "mutation": ["post", "sse", "multipart", "single connection", "websocket"],
    "subscription": ["sse", "get sse", "multipart", "single connection", "websocket"],
}
CASES = [(kind, name, transport) for kind, name in FIELDS for transport in TRANSPORTS[kind]]

# What is asked for, by the names of arguments: as much as could tell of a forbidden key. None: left out.
ARGUMENTS: dict[str, list[Any]] = {
    "key": [THEIRS],
    "keys": [[THEIRS, MINE, ABSENT, SENTINEL], [THEIRS]],
    "prefix": [None, "", "theirs/", THEIRS[:-1]],
    "id": [id_of(b"orders\0" + THEIRS.encode())],
    "value": ["overwritten"],
    "snapshot": [True],
    "after": [None],
    "before": [None],
    "first": [None, 1],
    "last": [None],
    "interval": [None],
    "progress": [True],
    "keyEncoding": [None],
    "valueEncoding": [None],
    "headers": [None],
    "atLeast": [None],
    "maxWait": [None],
    "encoding": [None],
    "pointer": [None],
}


_RAN: Counter[tuple[str, str, str, str]] = Counter()
"""How many documents were asked for, by principal, type of operation, field and transport."""


@dataclass(frozen=True)
class Principal:
    """Somebody with grants of the table `orders`."""

    rules: list[dict[str, Any]]
    grants: Grants
    token: str


def principal(name: str, verbs: list[str], prefixes: list[str], tables: list[str]) -> Principal:
    rules = [{"to": [f"token:{name}"], "verbs": verbs, "tables": tables, "prefixes": prefixes}] if verbs else []
    granted = {Grant(Verb(v), t, p.encode()) for v in verbs for t in tables for p in prefixes or [""]}
    return Principal(rules, Grants(frozenset(granted)), new_token())


PRINCIPALS = {
    "reader": principal("reader", ["read"], ["mine/"], ["orders"]),
    "both": principal("both", ["read"], ["mine/", "zoo/"], ["orders"]),
    "writer": principal("writer", ["write"], ["mine/"], ["orders"]),
    "editor": principal("editor", ["read", "write", "status"], ["mine/"], ["orders"]),
    "observer": principal("observer", ["status"], [], ["orders"]),
    "nobody": principal("nobody", [], [], []),
    "operator": principal("operator", ["read", "write", "status"], [], ["*"]),
}
RESTRICTED = [name for name in PRINCIPALS if name != "operator"]


@dataclass(frozen=True)
class Service:
    """The service, and what is needed to change its tables."""

    served: Served
    servers: str
    topics: dict[str, str]
    """By table."""

    async def change(self) -> None:
        """Change forbidden keys, and then one that may be read; return once the tables have that."""
        records = [(THEIRS.encode(), VALUE), (f"theirs/{MARK}/new".encode(), VALUE)]
        for table, topic in self.topics.items():
            await produce(self.servers, topic, *records, headers=[("h", MARK.encode())])
            await self.served.applied(await produce(self.servers, topic, (SENTINEL.encode(), b'"last"')), table)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    servers, topics = embedded_broker.bootstrap_servers, {name: f"grants-{name}" for name in TABLES}
    for topic in topics.values():
        embedded_broker.create_topic(topic)
        records = [(MINE.encode(), b'"mine"'), (THEIRS.encode(), VALUE), (b"zoo/1", b'"zoo"')]
        await produce(servers, topic, *records)
    settings: dict[str, Any] = {
        "progress_seconds": 0.05,
        "tokens": tuple(f"{name}:{hash_of(one.token)}" for name, one in PRINCIPALS.items()),
        "grants": [rule for one in PRINCIPALS.values() for rule in one.rules],
    }
    tables = {name: {"topic": topics[name], "writes": writes} for name, writes in TABLES.items()}
    async with serving_tables(servers, tables, tmp_path_factory.mktemp("grants"), **settings) as served:
        for name in TABLES:
            await served.state(State.LIVE, name)
        yield Service(served, servers, topics)


def selection(kind: GraphQLNamedType, depth: int = 4) -> str:
    """All fields of a type, and those below them; of an interface or a union, those of all its types."""
    if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
        parts = [f"... on {one.name} {selection(one, depth)}" for one in SCHEMA.get_possible_types(kind)]
        return f"{{ __typename {' '.join(parts)} }}"
    if not isinstance(kind, GraphQLObjectType):
        return ""
    below = [
        f"{name} {selection(get_named_type(one.type), depth - 1)}"
        for name, one in kind.fields.items()
        if depth > 1 or not isinstance(get_named_type(one.type), GraphQLObjectType)
    ]
    return f"{{ __typename {' '.join(below)} }}"


def literal(value: Any) -> str:
    return str(orjson.dumps(value).decode())


def documents(kind: str, name: str) -> Iterator[str]:
    """Operations that ask for a root field in all the ways that could tell of a forbidden key."""
    root = ROOTS[kind]
    assert root is not None
    field: GraphQLField = root.fields[name]
    choices = {argument: ARGUMENTS[argument] for argument in field.args}
    for number in range(max((len(values) for values in choices.values()), default=1)):
        chosen = {argument: values[number % len(values)] for argument, values in choices.items()}
        given = ", ".join(f"{argument}: {literal(value)}" for argument, value in chosen.items() if value is not None)
        arguments = f"({given})" if given else ""
        yield f"{kind} {{ {name}{arguments} {selection(get_named_type(field.type))} }}"


async def answer(service: Service, token: str, transport: str, document: str, *, ends: bool) -> str:
    """All that comes back; of an endless subscription, until the sentinel or an error comes, or its first event."""
    headers, request = {"authorization": f"Bearer {token}"}, {"query": document}
    if transport == "websocket":
        return await by_websocket(service, headers, request, ends=ends)
    if transport == "single connection":
        return await on_one_connection(service, headers, request, ends=ends)
    accept = {"sse": "text/event-stream", "get sse": "text/event-stream", "multipart": MULTIPART_ACCEPT}
    sent: dict[str, Any] = {"params": request} if transport.startswith("get") else {"json": request}
    method = "GET" if transport.startswith("get") else "POST"
    headers["accept"] = accept.get(transport, JSON)
    found = ""
    async with (
        service.served.http.stream(method, "/graphql", headers=headers, **sent) as response,
        changing(service, ends=ends),
    ):
        async for chunk in response.aiter_text():
            found += chunk
            if not ends and is_enough(found, document):
                break
    return found


async def by_websocket(service: Service, headers: dict[str, str], request: dict[str, str], *, ends: bool) -> str:
    url = service.served.run.url.replace("http", "ws", 1) + "/graphql"
    found = ""
    async with connect(
        url, subprotocols=[Subprotocol(TRANSPORT_WS)], additional_headers=headers, proxy=None, max_queue=None
    ) as socket:
        await socket.send('{"type": "connection_init"}')
        await socket.recv()
        await socket.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": request}).decode())
        async with changing(service, ends=ends):
            async for message in socket:
                found += str(message)
                is_end = orjson.loads(message)["type"] in {"complete", "error"}
                if is_end or (not ends and is_enough(found, request["query"])):
                    break
    return found


async def on_one_connection(service: Service, headers: dict[str, str], request: dict[str, str], *, ends: bool) -> str:
    found = ""
    async with open_stream(service.served, **headers) as link:
        assert (await link.post("1", request)).status_code == 202
        async with changing(service, ends=ends):
            while True:
                name, data = await link.event()
                found += orjson.dumps(data).decode()
                if name == "complete" or (not ends and is_enough(found, request["query"])):
                    break
    return found


def is_enough(found: str, document: str) -> bool:
    """Whether a subscription has shown what it can: some end by themselves, and only `updates` see the sentinel."""
    if '"errors"' in found or '"complete"' in found or "event: complete" in found:
        return True
    if "Updates" not in document:
        return '"data"' in found
    # A client that sees a key's changes gets no PROGRESS while they follow each other fast.
    return MARK in found or SENTINEL in found or '"PROGRESS"' in found


@asynccontextmanager
async def changing(service: Service, *, ends: bool) -> AsyncIterator[None]:
    """Change the table again and again, for as long as the context is open."""
    left = asyncio.Event()

    async def change() -> None:
        while not left.is_set():
            await service.change()

    async with asyncio.TaskGroup() as tasks:
        if not ends:
            tasks.create_task(change())
        try:
            yield
        finally:
            left.set()


def is_visible(one: Principal, kind: str, name: str) -> bool:
    return name in visible_fields(one.grants)[kind]


@cache
def visible_fields(grants: Grants) -> dict[str, set[str]]:
    """The root fields in the schema of a principal, by type of operation."""
    schema = graphql_schema(build_schema(TABLES, visible=Visible.to(grants, TABLES)))
    roots = {"query": schema.query_type, "mutation": schema.mutation_type, "subscription": schema.subscription_type}
    return {kind: set() if root is None else set(root.fields) for kind, root in roots.items()}


async def answers(service: Service, name: str, kind: str, field: str, transport: str) -> list[str]:
    found = []
    for document in documents(kind, field):
        async with asyncio.timeout(SECONDS_MAX):
            ends = kind != "subscription"
            found.append(await answer(service, PRINCIPALS[name].token, transport, document, ends=ends))
        _RAN[name, kind, field, transport] += 1
    return found


@pytest.mark.parametrize(("kind", "field", "transport"), CASES)
@pytest.mark.parametrize("name", RESTRICTED)
async def test_nothing_of_a_forbidden_key_is_told(
    service: Service, name: str, kind: str, field: str, transport: str
) -> None:
    for document, found in zip(
        documents(kind, field), await answers(service, name, kind, field, transport), strict=True
    ):
        hidden = [id_of(b"orders\0" + THEIRS.encode()), id_of(b"customers\0" + THEIRS.encode())]
        # Errors about values repeat no key, so no mark can be of the request.
        assert not [mark for mark in (MARK, *hidden) if mark in found], (document, found)
        if not is_visible(PRINCIPALS[name], kind, field):
            expected = {"WRITES_DISABLED"} if kind == "mutation" else set()
            assert any(code in found for code in {"GRAPHQL_VALIDATION_FAILED", *expected}), found
        elif kind == "mutation":
            assert "FORBIDDEN" in found, found


@pytest.mark.parametrize(("kind", "field", "transport"), [case for case in CASES if case[0] != "mutation"])
async def test_operator_sees_what_is_hidden_from_others(
    service: Service, kind: str, field: str, transport: str
) -> None:
    found = "".join(await answers(service, "operator", kind, field, transport))
    assert '"errors"' not in found
    assert MARK in found or field == "status", "or else the tests above show nothing"


@pytest.mark.parametrize("transport", TRANSPORTS["subscription"])
@pytest.mark.parametrize("name", ["reader", "both", "operator"])
async def test_resume_tells_nothing_of_forbidden_keys(service: Service, name: str, transport: str) -> None:
    """From before the latest changes, which the window holds, and from nothing, which is answered with a snapshot."""
    headers = {"authorization": f"Bearer {PRINCIPALS['operator'].token}"}
    asked = {"query": "{ ordersEntries(first: 1) { edges { cursor } } }"}
    answered = (await service.served.http.post("/graphql", json=asked, headers=headers)).json()
    token = answered["extensions"]["cursor"]
    nothing = decode_cursor(token, "orders")._replace(positions=(), epochs=())
    updates = SCHEMA.get_type("OrdersUpdate")
    assert updates is not None
    selected = selection(updates)
    await service.change()
    for after in (token, nothing.encode()):
        for filters in ("", 'prefix: "theirs/"', f"keys: {literal([THEIRS, f'theirs/{MARK}/new'])}"):
            document = f'subscription {{ ordersUpdates(after: "{after}", progress: true, {filters}) {selected} }}'
            async with asyncio.timeout(SECONDS_MAX):
                found = await answer(service, PRINCIPALS[name].token, transport, document, ends=False)
            assert '"errors"' not in found
            assert (MARK in found) is (name == "operator"), (document, found)
            assert name == "operator" or ("theirs/" not in found)


@pytest.mark.parametrize("name", ["reader", "both", "editor"])
async def test_forbidden_key_looks_like_an_absent_one(service: Service, name: str) -> None:
    headers = {"authorization": f"Bearer {PRINCIPALS[name].token}"}
    page = "totalCount edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor }"
    for document in (
        "query($key: String!) { ordersValue(key: $key) { id } }",
        "query($key: String!) { ordersValues(keys: [$key]) { id } }",
        f"query($key: String!) {{ ordersEntries(prefix: $key) {{ {page} }} }}",
    ):
        found = []
        for key in (THEIRS, ABSENT):
            asked = {"query": document, "variables": {"key": key}}
            found.append((await service.served.http.post("/graphql", json=asked, headers=headers)).json()["data"])
        assert found[0] == found[1]


async def test_status_and_counts_tell_nothing_of_forbidden_keys(service: Service) -> None:
    status, count = "status { entries tables { name entries } }", "ordersEntries { totalCount }"
    counted = {}
    for name, document in (("observer", status), ("editor", f"{status} {count}"), ("operator", count)):
        headers = {"authorization": f"Bearer {PRINCIPALS[name].token}"}
        asked = {"query": f"{{ {document} }}"}
        found = (await service.served.http.post("/graphql", json=asked, headers=headers)).json()["data"]
        counted[name] = found.get("ordersEntries", {"totalCount": 0})["totalCount"]
        if "status" in found:
            table = {"name": "orders", "entries": counted[name]}
            assert found["status"] == {"entries": counted[name], "tables": [table]}
    assert 0 < counted["editor"] < counted["operator"]


async def test_write_without_the_right_to_read_shows_no_entry(service: Service) -> None:
    document = 'mutation { ordersSet(key: "mine/w", value: "1") { key offset entry { value } } }'
    for name, entry in (("writer", None), ("editor", {"value": "1"})):
        headers = {"authorization": f"Bearer {PRINCIPALS[name].token}"}
        found = (await service.served.http.post("/graphql", json={"query": document}, headers=headers)).json()
        assert found["data"]["ordersSet"]["entry"] == entry


@pytest.mark.parametrize("name", PRINCIPALS)
async def test_schema_metrics_and_readiness_are_what_the_principal_may_see(service: Service, name: str) -> None:
    one, http = PRINCIPALS[name], service.served.http
    headers = {"authorization": f"Bearer {one.token}"}
    sdl = (await http.get("/schema.graphql", headers=headers)).text
    access = Access(name, one.grants)
    for table, writes in TABLES.items():
        assert (f"  {table}Value(" in sdl) is access.allows(Verb.READ, table)
        assert (f"  {table}Set(" in sdl) is (writes and access.allows(Verb.WRITE, table))
        assert (table.capitalize() in sdl) is (
            access.allows(Verb.READ, table) or (writes and access.allows(Verb.WRITE, table))
        )
    assert ("  status: Status!" in sdl) is access.allows(Verb.STATUS, "orders")
    introspected = await http.post("/graphql", json={"query": "{ __schema { types { name } } }"}, headers=headers)
    assert ("CustomersEntry" in introspected.text) is (name == "operator")
    typed = {"query": '{ __type(name: "CustomersEntry") { fields { name } } }'}
    found = (await http.post("/graphql", json=typed, headers=headers)).json()["data"]["__type"]
    assert (found is not None) is (name == "operator")
    for misspelt in ("{ customerValu }", "{ node(id: 1) { ... on CustomersEntri { key } } }"):
        suggested = (await http.post("/graphql", json={"query": misspelt}, headers=headers)).text
        assert ("'customersValue" in suggested or "'CustomersEntry'" in suggested) is (name == "operator"), suggested
    assert (await http.get("/metrics", headers=headers)).status_code == (200 if name == "operator" else 403)
    assert ("tables" in (await http.get("/readyz", headers=headers)).json()) is (name == "operator")


@pytest.mark.last
async def test_all_that_was_generated_ran(request: pytest.FixtureRequest) -> None:
    """Counted by what ran, so that no list of cases can be empty or short without a word."""
    chosen = [item for item in request.session.items if isinstance(item, pytest.Function)]
    cases = [item.callspec.params for item in chosen if item.originalname == "test_nothing_of_a_forbidden_key_is_told"]
    expected = {(one["name"], one["kind"], one["field"], one["transport"]) for one in cases}
    ran = {one: number for one, number in _RAN.items() if one[0] in RESTRICTED}
    assert ran.keys() == expected
    fields, verbs = {one[1:3] for one in ran}, {grant.verb for one in ran for grant in PRINCIPALS[one[0]].grants.all}
    transports, principals = {one[3] for one in ran}, {one[0] for one in ran}
    print(
        f"{len(fields)} root fields x {len(verbs)} verbs x {len(transports)} transports, for {len(principals)} "
        f"principals: {len(ran)} cases, {sum(ran.values())} documents"
    )
    if len(cases) == len(RESTRICTED) * len(CASES):
        assert fields == set(FIELDS)
        assert verbs == set(Verb)
        assert transports == {transport for names in TRANSPORTS.values() for transport in names}
