"""Several tables in one service: each as if alone, and one graph, one cursor and one status over all of them."""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, ExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.client import connect
from kvs_graphql.cursor import decode_cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.errors import BadSetting, DatabaseError, RemoteError
from kvs_graphql.kafka.precedence import Precedence
from kvs_graphql.settings import load_settings
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.readme import README
from tests.serving import Served, nothing_applied, serving, serving_tables, write
from tests.tables import served as reading
from tests.tables.served import TABLES, put


async def test_field_takes_its_own_part_of_a_cursor_and_refuses_one_without(served: Served) -> None:
    cursors = {table: await put(served, table, "a", "1") for table in TABLES}
    for table, cursor in cursors.items():
        await served.applied(decode_cursor(cursor, table).positions, table)
    both = (await served.query("{ ordersEntries { totalCount } orderItemsEntries { totalCount } }"))["extensions"][
        "cursor"
    ]
    for table, other in (TABLES, TABLES[::-1]):
        read = f'query($at: Cursor) {{ found: {table}Value(key: "a", atLeast: $at) {{ value }} }}'
        for cursor in (cursors[table], both):
            assert await served.data(read, at=cursor) == {"found": {"value": "1"}}
        assert await served.code(read, at=cursors[other]) == "BAD_CURSOR"
    async with connect(served.run.url) as client, AsyncExitStack() as stack:
        watch = "subscription($after: Cursor) { ordersUpdates(after: $after) { kind key cursor } }"
        events = await stack.enter_async_context(aclosing(client.subscribe(watch, {"after": both})))
        async with asyncio.timeout(SECONDS_MAX):
            seen = [(await anext(events))["ordersUpdates"]]
            await put(served, "orderItems", "b", "2")
            last = await put(served, "orders", "b", "2")
            seen.append((await anext(events))["ordersUpdates"])
    assert [(update["kind"], update["key"]) for update in seen] == [("LIVE", None), ("SET", "b")]
    assert decode_cursor(seen[-1]["cursor"], "orders").positions == decode_cursor(last, "orders").positions


async def test_status_and_readiness_name_each_table(served: Served, topics: dict[str, str]) -> None:
    document = "{ status { ready state entries lag tables { name topic ready state partitions { partition } } } }"
    found = (await served.data(document))["status"]
    assert (found["ready"], found["state"], found["lag"]) == (True, "LIVE", 0)
    assert [(one["name"], one["topic"], one["state"]) for one in found["tables"]] == [
        (table, topic, "LIVE") for table, topic in topics.items()
    ]
    readyz = (await served.http.get("/readyz")).json()
    assert (readyz["ready"], readyz["state"], readyz["lag"], set(readyz["tables"])) == (True, "LIVE", 0, set(TABLES))
    metrics = (await served.http.get("/metrics")).text
    for table in TABLES:
        assert f'kvs_table_ready{{table="{table}"}} 1.0' in metrics
        assert f'kvs_state{{state="LIVE",table="{table}"}} 1.0' in metrics


async def test_only_table_without_a_catalog_has_no_name(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path) as served:
        await served.state(State.LIVE)
        found = (await served.data("{ status { ready state entries lag tables { name topic state } } }"))["status"]
        assert found.pop("tables") == [{"name": None, "topic": embedded_topic, "state": "LIVE"}]
        assert found == {"ready": True, "state": "LIVE", "entries": 0, "lag": 0}
        assert "tables" not in (await served.http.get("/readyz")).json()
        assert 'kvs_table_ready{table=""} 1.0' in (await served.http.get("/metrics")).text


async def test_each_metric_of_a_table_has_its_name(
    served: Served, embedded_broker: EmbeddedBroker, topics: dict[str, str]
) -> None:
    for number, table in enumerate(TABLES, 1):
        for _ in range(number):
            cursor = await put(served, table, "a", "1")
        end = decode_cursor(cursor, table).positions[0]
        await write(embedded_broker.bootstrap_servers, topics[table], [(None, b"skipped")] * number)
        await served.applied((end + number,), table)
    text = (await served.http.get("/metrics")).text
    found = defaultdict[str, dict[str, float]](dict)
    for name, table, value in re.findall(r'^(kvs_\w+)\{[^}]*\btable="(\w*)"[^}]*\} (\S+)$', text, re.MULTILINE):
        found[name][table] = found[name].get(table, 0) + float(value)
    assert {name for name, values in found.items() if values.keys() != set(TABLES)} == set()
    counted = ("kvs_writes_total", "kvs_records_applied_total", "kvs_records_skipped_total")
    assert [found[name] for name in counted] == [dict(zip(TABLES, (1, 2), strict=True))] * len(counted)
    others = {"kvs_commit_seconds_count", "kvs_consumer_lag", "kvs_state", "kvs_table_ready", "kvs_writes_in_flight"}
    assert others <= found.keys()


async def test_entries_and_lag_of_all_tables_are_added_up(
    served: Served, embedded_broker: EmbeddedBroker, topics: dict[str, str], tmp_path: Path
) -> None:
    servers, records = embedded_broker.bootstrap_servers, [(b"a", b"1"), (b"b", b"1"), (b"c", b"1")]
    for number, table in enumerate(TABLES, 1):
        await served.applied(await write(servers, topics[table], records[:number]), table)
    with ExitStack() as stack:
        for number, table in enumerate(TABLES, 2):
            stack.enter_context(nothing_applied(tmp_path / "tables", f"{table}.db"))
            await write(servers, topics[table], records[:number])
        async with asyncio.timeout(SECONDS_MAX):
            while (await served.http.get("/readyz")).json()["lag"] < 5:  # noqa: ASYNC110 - the lag wakes nobody
                await asyncio.sleep(0.01)
        readyz = (await served.http.get("/readyz")).json()
        status = (await served.data("{ status { entries lag tables { entries lag } } }"))["status"]
        metrics = (await served.http.get("/metrics")).text
    assert (readyz["lag"], [readyz["tables"][table]["lag"] for table in TABLES]) == (5, [2, 3])
    for table, lag in zip(TABLES, (2.0, 3.0), strict=True):
        assert f'kvs_consumer_lag{{partition="0",table="{table}"}} {lag}' in metrics
    assert status == {"entries": 3, "lag": 5, "tables": [{"entries": 1, "lag": 2}, {"entries": 2, "lag": 3}]}


@pytest.mark.parametrize(("table", "other"), [TABLES, TABLES[::-1]])
async def test_tombstones_are_what_each_table_says(
    embedded_broker: EmbeddedBroker, topics: dict[str, str], tmp_path: Path, table: str, other: str
) -> None:
    servers = embedded_broker.bootstrap_servers
    tables = {name: {"topic": topic} for name, topic in topics.items()}
    tables[table]["tombstones"] = "empty"
    async with serving_tables(servers, tables, tmp_path) as served:
        for name, topic in topics.items():
            await served.applied(await write(servers, topic, [(b"a", b"1"), (b"a", None)]), name)
        assert await reading.value(served, table, "a") == ""
        assert await reading.value(served, other, "a") is None


async def test_keys_of_all_tables_count_against_one_limit(
    embedded_broker: EmbeddedBroker, topics: dict[str, str], tmp_path: Path
) -> None:
    tables = {table: {"topic": topic} for table, topic in topics.items()}
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path, keys_per_request_max=3) as served:
        for table in TABLES:
            await served.state(State.LIVE, table)
        document = (
            "query($o: [String!]!, $i: [String!]!) { ordersValues(keys: $o) { id } orderItemsValues(keys: $i) { id } }"
        )
        assert await served.data(document, o=["a", "b"], i=["a"]) == {
            "ordersValues": [None, None],
            "orderItemsValues": [None],
        }
        assert await served.code(document, o=["a", "b"], i=["a", "b"]) == "TOO_MANY_KEYS"


@pytest.mark.parametrize(
    ("setting", "limit", "field"),
    [("read_bytes_max", 150, "value"), ("response_bytes_max", 280, "value"), ("query_cost_max", 3, "size")],
)
async def test_what_all_tables_of_a_request_read_answer_and_cost_counts_against_one_limit(
    embedded_broker: EmbeddedBroker,
    topics: dict[str, str],
    tmp_path: Path,
    setting: str,
    limit: int,
    field: str,
) -> None:
    tables = {table: {"topic": topic} for table, topic in topics.items()}
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path, **{setting: limit}) as served:
        for table in TABLES:
            await served.state(State.LIVE, table)
            await served.applied(
                await write(embedded_broker.bootstrap_servers, topics[table], [(b"a", b"x" * 80)]), table
            )
        fields = [f'{table}Values(keys: ["a"]) {{ {field} }}' for table in TABLES]
        for one in fields:
            assert await served.data(f"{{ {one} }}")
        refused = await served.query(f"{{ {' '.join(fields)} }}")
        assert [error["extensions"]["code"] for error in refused["errors"]] == ["LIMIT_EXCEEDED"]
        assert refused["errors"][0]["extensions"]["setting"] == f"KVS_{setting.upper()}"


async def test_entries_of_all_tables_are_counted_up_to_one_limit(
    embedded_broker: EmbeddedBroker, topics: dict[str, str], tmp_path: Path
) -> None:
    tables = {table: {"topic": topic} for table, topic in topics.items()}
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path, counted_entries_max=3) as served:
        for table in TABLES:
            await served.state(State.LIVE, table)
            written = await write(embedded_broker.bootstrap_servers, topics[table], [(b"a", b"1"), (b"b", b"1")])
            await served.applied(written, table)
        fields = [f"{table}Entries(first: 1) {{ totalCount }}" for table in TABLES]
        for field in fields:
            assert [one["totalCount"] for one in (await served.data(f"{{ {field} }}")).values()] == [2]
        together = await served.data(f"{{ {' '.join(fields)} }}")
        assert [one["totalCount"] for one in together.values()] == [2, None]


async def test_keys_of_subscriptions_to_all_tables_count_against_one_limit(
    embedded_broker: EmbeddedBroker, topics: dict[str, str], tmp_path: Path
) -> None:
    limits = {"subscription_arguments_bytes_max": 130_000}
    tables = {table: {"topic": topic} for table, topic in topics.items()}
    keys = {"keys": [f"key-{number}" for number in range(100)]}
    async with (
        serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path, **limits) as served,
        connect(served.run.url) as client,
        asyncio.timeout(SECONDS_MAX),
    ):
        for table in TABLES:
            await served.state(State.LIVE, table)

        def watching(table: str) -> AbstractAsyncContextManager[AsyncGenerator[Any]]:
            document = f"subscription($keys: [String!]) {{ {table}Updates(keys: $keys, progress: true) {{ kind }} }}"
            return aclosing(client.subscribe(document, keys))

        for table, other in (TABLES, TABLES[::-1]):
            async with watching(table) as events:
                assert await anext(events) == {f"{table}Updates": {"kind": "LIVE"}}
                async with watching(other) as refused:
                    with pytest.raises(RemoteError, match="130000 bytes that open subscriptions keep"):
                        await anext(refused)


async def test_table_without_its_topic_hinders_no_other(
    embedded_broker: EmbeddedBroker, topics: dict[str, str], tmp_path: Path
) -> None:
    missing = f"{topics['orders']}-missing"
    tables = {"orders": {"topic": topics["orders"]}, "others": {"topic": missing}}
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path) as served:
        await served.state(State.WAITING_FOR_TOPIC, "others")
        await served.state(State.LIVE, "orders")
        positions = await write(embedded_broker.bootstrap_servers, topics["orders"], [(b"a", b"1")])
        await served.applied(positions, "orders")
        assert await served.data('{ ordersValue(key: "a") { value } }') == {"ordersValue": {"value": "1"}}
        found = (await served.data("{ status { ready state } }"))["status"]
        assert found == {"ready": False, "state": "WAITING_FOR_TOPIC"}
        readyz = await served.http.get("/readyz")
        assert (readyz.status_code, readyz.json()["tables"]["others"]["state"]) == (503, "WAITING_FOR_TOPIC")
        assert readyz.json()["state"] == "WAITING_FOR_TOPIC"
        embedded_broker.create_topic(missing, 1)
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE, "others")
        assert (await served.http.get("/readyz")).status_code == 200


async def test_service_is_ready_without_a_table_that_is_not_required(
    embedded_broker: EmbeddedBroker, topics: dict[str, str], tmp_path: Path
) -> None:
    tables: dict[str, dict[str, Any]] = {
        "orders": {"topic": topics["orders"]},
        "others": {"topic": f"{topics['orders']}-missing", "required": False},
    }
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path) as served:
        await served.state(State.WAITING_FOR_TOPIC, "others")
        await served.state(State.LIVE, "orders")
        readyz = await served.http.get("/readyz")
        assert (readyz.status_code, readyz.json()["tables"]["others"]["ready"]) == (200, False)
        found = (await served.data("{ status { ready state tables { ready } } }"))["status"]
        assert found == {"ready": True, "state": "WAITING_FOR_TOPIC", "tables": [{"ready": True}, {"ready": False}]}


def test_configuration_in_the_readme_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)[0]
    (tmp_path / "service.toml").write_text(block)
    monkeypatch.setenv("KVS_CONFIG", str(tmp_path / "service.toml"))
    catalog = load_settings().catalog
    assert [(name, table.topic, table.writes, table.required) for name, table in catalog.items()] == [
        ("orders", "shop.orders.v1", True, True),
        ("customers", "shop.customers", False, False),
    ]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"KVS_TABLES__ORDERITEMS__TOPIC": "other"}, "other"),
        ({"KVS_TABLES__orderItems__TOPIC": "other"}, "other"),
        ({}, "shop.items"),
        ({"KVS_TABLES__ORDERS__TOPIC": "other"}, "KVS_TABLES__ORDERS: no such table in the configuration file"),
        ({"KVS_TABLES__ORDERITEMS__TOPICS": "other"}, "tables.orderItems.topics: there is no such setting"),
        ({"KVS_TABLES__ORDERITEMS__WRITES": "perhaps"}, "tables.orderItems.writes=perhaps: must be true or false"),
        ({"KVS_TOPIC": "other"}, "KVS_TOPIC is for a service of one topic"),
        ({"KVS_ENABLE_WRITES": "true"}, "KVS_ENABLE_WRITES is for a service of one topic"),
        ({"KVS_CONFIG": "nowhere.toml"}, "KVS_CONFIG=nowhere.toml: No such file"),
    ],
)
def test_variables_override_tables_and_never_create_them(
    variables: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kvs.toml").write_text('[tables.orderItems]\ntopic = "shop.items"\n')
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    try:
        shown = load_settings().catalog["orderItems"].topic
    except BadSetting as refused:
        shown = str(refused)
    assert shown.startswith(expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no toml", "kvs.toml is not TOML"),
        ("prot = 80", "kvs.toml: prot: there is no such setting"),
        ("port = 'http'", "KVS_PORT=http: must be a whole number"),
        ("tables = 5", "tables=5: must be a section"),
        ("[tables]\norders = 5", "tables.orders=5"),
    ],
)
def test_wrong_configuration_file_is_one_line(
    text: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kvs.toml").write_text(text)
    with pytest.raises(BadSetting) as refused:
        load_settings()
    assert str(refused.value).startswith(reason)
    assert "\n" not in str(refused.value)


async def test_directory_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tables").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatabaseError, match="symbolic link"):
        async with serving_tables("127.0.0.1:1", {"orders": {"topic": "t"}}, tmp_path):
            pass


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({"Orders": {"topic": "t"}}, "camelCase"),
        ({"a_b": {"topic": "t"}}, "camelCase"),
        ({"": {"topic": "t"}}, "camelCase"),
        ({"x" * 65: {"topic": "t"}}, "camelCase"),
        ({"any": {"topic": "t"}}, "taken"),
        ({"ab": {"topic": "t"}, "aB": {"topic": "t"}}, "case only"),
        ({"orders": {}}, "tables.orders.topic: must be set"),
        ({"orders": {"topic": "two words"}}, "tables.orders.topic=two words: must be a topic name"),
        ({"orders": {"topic": "t", "write": True}}, "tables.orders.write: there is no such setting"),
    ],
)
async def test_wrong_table_is_one_line(tables: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=reason) as refused:
        async with serving_tables("127.0.0.1:1", tables, tmp_path):
            pass
    assert "\n" not in str(refused.value)


async def test_tables_share_one_log_in_memory_and_one_precedence(
    embedded_broker: EmbeddedBroker, topics: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, short_commit = set[Precedence](), Precedence.short_commit

    def noted(precedence: Precedence, table: object) -> AbstractContextManager[None]:
        used.add(precedence)
        return short_commit(precedence, table)

    monkeypatch.setattr(Precedence, "short_commit", noted)
    tables = {table: {"topic": topic, "writes": True} for table, topic in topics.items()}
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path, feed_changes_max=1) as served:
        for table in TABLES:
            await served.state(State.LIVE, table)
            assert await reading.value(served, table, "a", await put(served, table, "a", "1")) == "1"
        assert [table for table in TABLES if served.run.unit(table).feed.holds((0,))] == ["orderItems"]
    assert len(used) == 1
