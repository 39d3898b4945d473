"""What a principal may not do is counted and logged, over every transport, without the keys that it asked for."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.service import denials as denials_module
from kvs_graphql.state import State
from tests.known_holes.asking import TRANSPORTS, ask
from tests.serving import Served, produce, serving_tables

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN, OPERATOR = new_token(), new_token()
FORBIDDEN = "theirs/5ec2e7"
QUERIES = {
    "key": (f'{{ ordersValue(key: "{FORBIDDEN}") {{ id }} }}', "orders", "read"),
    "keys": (f'{{ ordersValues(keys: ["mine/1", "{FORBIDDEN}"]) {{ id }} }}', "orders", "read"),
    "prefix": (f'{{ ordersEntries(prefix: "{FORBIDDEN}") {{ edges {{ cursor }} }} }}', "orders", "read"),
    "two fields": (
        f'{{ a: ordersValue(key: "{FORBIDDEN}") {{ id }} ordersValue(key: "mine/1") {{ id }} }}',
        "orders",
        "read",
    ),
    "table": ('{ customersValue(key: "a") { id } }', "customers", "read"),
    "status": ("{ status { ready } }", "customers", "status"),
}
MUTATIONS = {
    "set": (f'mutation {{ ordersSet(key: "{FORBIDDEN}", value: "1") {{ offset }} }}', "orders", "write"),
    "delete": (f'mutation {{ ordersDelete(key: "{FORBIDDEN}") {{ offset }} }}', "orders", "write"),
    "table, to write": ('mutation { customersSet(key: "a", value: "1") { offset } }', "customers", "write"),
}
SUBSCRIPTIONS = {
    "changes of a table": ("subscription { customersUpdates { kind } }", "customers", "read"),
    "status, again and again": ("subscription { status { ready } }", "orders", "status"),
}
CASES = [
    (name, transport)
    for transport in TRANSPORTS
    for cases, carried in (
        (QUERIES, True),
        (MUTATIONS, not transport.startswith("get")),
        (SUBSCRIPTIONS, transport not in {"post", "get"}),
    )
    if carried
    for name in cases
]
ALLOWED = [
    '{ ordersValue(key: "mine/1") { id } ordersEntries { edges { cursor } } node(id: "") { id } }',
    '{ ordersEntries(prefix: "mi") { edges { cursor } } nothing }',
    'mutation { ordersSet(key: "mine/2", value: "1") { offset } }',
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    servers, topic = embedded_broker.bootstrap_servers, f"topic-{uuid4().hex}"
    embedded_broker.create_topic(topic)
    await produce(servers, topic, (b"mine/1", b"1"), (FORBIDDEN.encode(), b"2"))
    settings: dict[str, Any] = {
        "tokens": (f"ann:{hash_of(ANN)}", f"operator:{hash_of(OPERATOR)}"),
        "grants": [
            {"to": ["token:ann"], "verbs": ["read", "write"], "tables": ["orders"], "prefixes": ["mine/"]},
            {"to": ["token:operator"], "verbs": ["read", "write", "status"]},
        ],
    }
    tables = {name: {"topic": topic, "writes": True} for name in ("orders", "customers")}
    with pytest.MonkeyPatch.context() as patched:
        # Every denial has a line.
        patched.setattr(denials_module, "_LOG_SECONDS", 0.0)
        async with serving_tables(servers, tables, tmp_path_factory.mktemp("denials"), **settings) as served:
            for name in tables:
                await served.state(State.LIVE, name)
            yield served


async def counts(served: Served) -> dict[tuple[str, str], float]:
    answer = await served.http.get("/metrics", headers={"authorization": f"Bearer {OPERATOR}"})
    (family,) = (one for one in text_string_to_metric_families(answer.text) if one.name == "kvs_denials")
    return {
        (sample.labels["table"], sample.labels["verb"]): sample.value
        for sample in family.samples
        if sample.name == "kvs_denials_total"
    }


@pytest.mark.parametrize(("name", "transport"), CASES)
async def test_denial_is_counted_and_logged(served: Served, name: str, transport: str) -> None:
    document, table, verb = {**QUERIES, **MUTATIONS, **SUBSCRIPTIONS}[name]
    before = await counts(served)
    with capture_logs() as logged:
        await ask(served, transport, document, token=ANN)
    after = await counts(served)
    assert after[table, verb] == before.get((table, verb), 0.0) + 1
    lines = [line for line in logged if line["event"] == "denied"]
    assert {"principal": "ann", "table": table, "verb": verb}.items() <= lines[
        -1 if table == "customers" else 0
    ].items()
    assert FORBIDDEN not in str(logged)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_may_be_done_is_no_denial(served: Served, transport: str) -> None:
    before = await counts(served)
    for document in ALLOWED:
        if transport.startswith("get") and document.startswith("mutation"):
            continue
        await ask(served, transport, document, token=ANN)
        await ask(served, transport, document, token=OPERATOR)
    assert await counts(served) == before


@pytest.mark.parametrize(
    "document",
    [
        "ordersValue(key: %s) { id }",
        "ordersUpdates(keys: [%s]) { kind }",
        "ordersValues(keys: [%s]) { id }",
        "ordersUpdates(prefix: %s) { kind }",
    ],
)
@pytest.mark.parametrize("transport", ["sse", "multipart"])
async def test_subscription_that_is_denied_is_counted(served: Served, document: str, transport: str) -> None:
    before = await counts(served)
    accept = "text/event-stream" if transport == "sse" else 'multipart/mixed;subscriptionSpec="1.0"'
    headers = {"authorization": f"Bearer {ANN}", "accept": accept}
    asked = {"query": f"subscription {{ {document % orjson_text(FORBIDDEN)} }}"}
    async with served.http.stream("POST", "/graphql", json=asked, headers=headers) as stream:
        assert stream.status_code == 200
        while (after := await counts(served)) == before:
            pass
    assert after["orders", "read"] == before.get(("orders", "read"), 0.0) + 1


def orjson_text(text: str) -> str:
    return f'"{text}"'


async def test_metrics_without_the_right_to_them_are_a_denial_for_each_table(served: Served) -> None:
    before = await counts(served)
    answer = await served.http.get("/metrics", headers={"authorization": f"Bearer {ANN}"})
    after = await counts(served)
    assert answer.status_code == 403
    for table in ("orders", "customers"):
        assert after[table, "status"] == before.get((table, "status"), 0.0) + 1
