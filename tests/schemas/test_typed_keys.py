"""Tables whose keys have a format: typed arguments, `keyData`, and keys in several encodings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from itertools import permutations
from pathlib import Path
from struct import pack
from typing import Any
from uuid import UUID

import orjson
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from structlog.testing import capture_logs

from kvs_graphql.api.keys import latest_of
from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.client import connect
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.records import Record
from kvs_graphql.state import State
from tests.registry.apicurio import Apicurio
from tests.serving import Served, produce, serving_tables
from tests.tables.served import until_ready

SOME_UUID = UUID("6f9619ff-8b86-d011-b42d-00cf4fc964ff")


@pytest.mark.parametrize(
    ("form", "raw", "argument", "shown"),
    [
        pytest.param("int", pack(">i", -7), "-7", -7, id="int"),
        pytest.param("long", pack(">q", 2**60), f'"{2**60}"', str(2**60), id="long"),
        pytest.param("uuid", str(SOME_UUID).encode(), f'"{SOME_UUID}"', str(SOME_UUID), id="uuid"),
    ],
)
async def test_a_key_of_java_serializers_is_a_typed_argument(
    embedded_broker: EmbeddedBroker,
    embedded_topic: str,
    tmp_path: Path,
    form: str,
    raw: bytes,
    argument: str,
    shown: Any,
) -> None:
    servers = embedded_broker.bootstrap_servers
    tables = {"orders": {"topic": embedded_topic, "key": form, "writes": True}}
    async with serving_tables(servers, tables, tmp_path) as served:
        await served.applied(await produce(servers, embedded_topic, (raw, b"first")), "orders")
        found = await served.data(f"{{ ordersValue(key: {argument}) {{ keyData value key(encoding: HEX) }} }}")
        assert found["ordersValue"] == {"keyData": shown, "value": "first", "key": raw.hex()}
        document = f'mutation {{ ordersSet(key: {argument}, value: "second") {{ keyData key(encoding: HEX) cursor }} }}'
        written = (await served.data(document))["ordersSet"]
        assert (written["keyData"], written["key"]) == (shown, raw.hex())
        read = f'{{ ordersValues(keys: [{argument}], atLeast: "{written["cursor"]}", maxWait: 60) {{ value }} }}'
        assert (await served.data(read))["ordersValues"] == [{"value": "second"}]


async def test_a_key_that_is_not_of_its_format_is_shown_as_bytes(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving_tables(servers, {"orders": {"topic": embedded_topic, "key": "long"}}, tmp_path) as served:
        await served.applied(await produce(servers, embedded_topic, (b"odd", b"value")), "orders")
        answer = await served.query("{ ordersEntries { edges { node { key keyData } } } }")
    assert answer["data"]["ordersEntries"]["edges"] == [{"node": {"key": "odd", "keyData": None}}]
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNDECODABLE"]


async def test_a_key_beyond_the_limit_is_not_decoded(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers, tables = embedded_broker.bootstrap_servers, {"orders": {"topic": embedded_topic, "key": "long"}}
    async with serving_tables(servers, tables, tmp_path, data_bytes_max=1) as served:
        await served.applied(await produce(servers, embedded_topic, (pack(">q", 1), b"value")), "orders")
        answer = await served.query("{ ordersValue(key: 1) { value keyData } }")
    assert answer["data"]["ordersValue"] == {"value": "value", "keyData": None}
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["extensions"]["setting"]) == ("LIMIT_EXCEEDED", "KVS_DATA_BYTES_MAX")


async def test_prefixes_are_offered_only_where_keys_are_text(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    tables = {"orders": {"topic": embedded_topic, "key": "long"}, "names": {"topic": embedded_topic}}
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path) as served:
        assert await served.code('{ ordersEntries(prefix: "a") { totalCount } }') == "GRAPHQL_VALIDATION_FAILED"
        assert await served.data('{ namesEntries(prefix: "a") { totalCount } }')


def key_schema(doc: str) -> str:
    """A key of two parts; the text of its documentation makes it another schema with the same keys."""
    fields = [{"name": "shop", "type": "string"}, {"name": "number", "type": "int"}]
    return orjson.dumps({"type": "record", "name": "OrderKey", "doc": doc, "fields": fields}).decode()


async def encoded(client: SchemaRegistryClient, topic: str, schema: str) -> bytes:
    """A key as Confluent's serializer writes it."""
    serialize = AvroSerializer(client, schema)
    context = SerializationContext(topic, MessageField.KEY)
    written: bytes = await asyncio.to_thread(serialize, {"shop": "a", "number": 1}, context)
    return written


async def shows(served: Served, document: str, value: str) -> None:
    """Return once an order has that value."""
    while True:
        if (await served.data(document))["ordersValue"] == {"value": value}:
            return
        await asyncio.sleep(0.01)


@pytest.mark.kafka
async def test_a_key_written_under_several_schemas_is_one_key(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, apicurio: Apicurio
) -> None:
    servers, topic = embedded_broker.bootstrap_servers, embedded_topic
    tables = {"orders": {"topic": topic, "key": "avro", "writes": True}}
    registry = {"url": apicurio.url, "poll_seconds": 0.05}
    key = 'key: {shop: "a", number: 1}'
    with SchemaRegistryClient({"url": apicurio.url}) as client:
        old, new = [await encoded(client, topic, key_schema(doc)) for doc in ("old", "new")]
    assert old[:5] != new[:5]
    async with serving_tables(servers, tables, tmp_path, schema_registry=registry) as served:
        await served.applied(await produce(servers, topic, (new, b"1"), timestamp_ms=1_000), "orders")
        await served.applied(await produce(servers, topic, (old, b"2"), timestamp_ms=2_000), "orders")
        await until_ready(served)
        document = f"{{ ordersValue({key}) {{ value keyData {{ shop number }} }} }}"
        await shows(served, f"{{ ordersValue({key}) {{ value }} }}", "2")
        assert (await served.data(document))["ordersValue"]["keyData"] == {"shop": "a", "number": 1}
        written = (await served.data(f'mutation {{ ordersSet({key}, value: "3") {{ key(encoding: HEX) }} }}'))[
            "ordersSet"
        ]
        assert written["key"] == old.hex()
        cursor = (await served.data(f"mutation {{ ordersDelete({key}) {{ cursor }} }}"))["ordersDelete"]["cursor"]
        read = f'{{ ordersValue({key}, atLeast: "{cursor}", maxWait: 60) {{ value }} }}'
        assert (await served.data(read))["ordersValue"] is None
        left = await served.data("{ ordersEntries { edges { node { value } } } }")
    assert left["ordersEntries"]["edges"] == []


@pytest.mark.kafka
async def test_who_may_write_and_not_read_learns_of_no_schema_of_a_key_and_deletes_it_under_all(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, apicurio: Apicurio
) -> None:
    servers, topic, reader, writer = embedded_broker.bootstrap_servers, embedded_topic, new_token(), new_token()
    settings = {
        "schema_registry": {"url": apicurio.url, "poll_seconds": 0.05},
        "tokens": (f"reader:{hash_of(reader)}", f"writer:{hash_of(writer)}"),
        "grants": [
            {"to": ["token:reader"], "verbs": ["read", "status"], "tables": ["orders"]},
            {"to": ["token:writer"], "verbs": ["write"], "tables": ["orders"]},
        ],
    }
    with SchemaRegistryClient({"url": apicurio.url}) as client:
        keys = [await encoded(client, topic, key_schema(doc)) for doc in ("old", "new")]
    tables = {"orders": {"topic": topic, "key": "avro", "writes": True}}
    async with serving_tables(servers, tables, tmp_path, **settings) as served:
        served.http.headers["authorization"] = f"Bearer {reader}"
        await served.applied(await produce(servers, topic, *((key, b"1") for key in keys)), "orders")
        await until_ready(served)
        document = '{ ordersValue(key: {shop: "a", number: 1}) { value } }'
        await shows(served, document, "1")
        served.http.headers["authorization"] = f"Bearer {writer}"
        target, served_key = '(key: {shop: "a", number: 1}', keys[1].hex()
        written = await served.data(f'mutation {{ ordersSet{target}, value: "2") {{ key(encoding: HEX) }} }}')
        assert written["ordersSet"]["key"] == served_key, "whether the key is there under another schema is not told"
        written = await served.data(f"mutation {{ ordersDelete{target}) {{ offset }} }}")
        assert written["ordersDelete"]["offset"] is not None
        served.http.headers["authorization"] = f"Bearer {reader}"
        metrics = (await served.http.get("/metrics")).text
        assert 'kvs_denials_total{table="orders",verb="read"}' not in metrics, "a write asks for nothing to read"
        while (await served.data("{ ordersEntries { edges { node { value } } } }"))["ordersEntries"]["edges"]:  # noqa: ASYNC110 - what is gone is not told
            await asyncio.sleep(0.01)


@pytest.mark.kafka
async def test_a_schema_that_is_one_too_many_is_left_out_of_typed_keys_and_logged(
    embedded_broker: EmbeddedBroker,
    embedded_topic: str,
    tmp_path: Path,
    apicurio: Apicurio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kvs_graphql.schemas.table.KEY_SCHEMAS_MAX", 1)
    servers, topic = embedded_broker.bootstrap_servers, embedded_topic
    tables = {"orders": {"topic": topic, "key": "avro"}}
    registry = {"url": apicurio.url, "poll_seconds": 0.05}
    with SchemaRegistryClient({"url": apicurio.url}) as client:
        keys = [await encoded(client, topic, key_schema(doc)) for doc in ("first", "second", "served")]
    document = '{ ordersValue(key: {shop: "a", number: 1}) { value } }'
    with capture_logs() as logs:
        async with serving_tables(servers, tables, tmp_path, schema_registry=registry) as served:
            await until_ready(served)
            await served.applied(await produce(servers, topic, (keys[0], b"first"), timestamp_ms=1_000), "orders")
            await shows(served, document, "first")
            await served.applied(await produce(servers, topic, (keys[1], b"second"), timestamp_ms=2_000), "orders")
            left_out = int.from_bytes(keys[1][1:5])
            while not any(one.get("left_out") == left_out for one in logs):  # noqa: ASYNC110 - a log has no event
                await asyncio.sleep(0.01)
            await shows(served, document, "first")


@pytest.mark.kafka
async def test_a_key_written_under_sixteen_schemas_is_one_key_after_a_restart_too(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, apicurio: Apicurio
) -> None:
    servers, topic = embedded_broker.bootstrap_servers, embedded_topic
    tables = {"orders": {"topic": topic, "key": "avro", "writes": True}}
    registry = {"url": apicurio.url, "poll_seconds": 0.05}
    key = 'key: {shop: "a", number: 1}'
    with SchemaRegistryClient({"url": apicurio.url}) as client:
        *keys, unwritten = [await encoded(client, topic, key_schema(str(number))) for number in range(17)]
    assert len({*keys, unwritten}) == 17
    async with serving_tables(servers, tables, tmp_path, schema_registry=registry) as served:
        await until_ready(served)
        for number, one in enumerate(keys):
            positions = await produce(servers, topic, (one, b"%d" % number), timestamp_ms=1_000 + number)
            await served.applied(positions, "orders")
        await shows(served, f"{{ ordersValue({key}) {{ value }} }}", "15")
    async with serving_tables(servers, tables, tmp_path, schema_registry=registry) as served:
        await served.state(State.LIVE, "orders")
        await shows(served, f"{{ ordersValue({key}) {{ value }} }}", "15")
        cursor = (await served.data(f"mutation {{ ordersDelete({key}) {{ cursor }} }}"))["ordersDelete"]["cursor"]
        left = await served.data(f'{{ ordersEntries(atLeast: "{cursor}", maxWait: 60) {{ totalCount }} }}')
        assert left == {"ordersEntries": {"totalCount": 0}}
        written = await served.data(f'mutation {{ ordersSet({key}, value: "new") {{ key(encoding: HEX) }} }}')
        assert written["ordersSet"]["key"] == unwritten.hex()


KEYS = 'keys: [{shop: "a", number: 1}]'


def updates(start: str) -> str:
    return f"subscription {{ ordersUpdates({KEYS}, {start}) {{ kind cursor entry {{ value }} }} }}"


@asynccontextmanager
async def with_one_key(
    broker: EmbeddedBroker, topic: str, directory: Path, apicurio: Apicurio
) -> AsyncIterator[tuple[Served, Callable[[], Awaitable[None]]]]:
    """A service whose table has one key with the value 1, and what writes 2 to the same key under another schema."""
    servers, tables = broker.bootstrap_servers, {"orders": {"topic": topic, "key": "avro"}}
    with SchemaRegistryClient({"url": apicurio.url}) as client:
        old, new = [await encoded(client, topic, key_schema(doc)) for doc in ("old", "new")]
    registry = {"url": apicurio.url, "poll_seconds": 0.05}
    async with serving_tables(servers, tables, directory, schema_registry=registry) as served:
        await served.applied(await produce(servers, topic, (new, b"1"), timestamp_ms=1_000), "orders")
        await until_ready(served)

        async def write() -> None:
            await served.applied(await produce(servers, topic, (old, b"2"), timestamp_ms=2_000), "orders")

        yield served, write


def seen(update: Any) -> tuple[str, str | None]:
    """The kind of an update, and the value of its entry."""
    entry = update["ordersUpdates"]["entry"]
    return update["ordersUpdates"]["kind"], entry and entry["value"]


@pytest.mark.kafka
@pytest.mark.parametrize(("start", "first"), [("snapshot: true", "SNAPSHOT"), ("progress: true", "LIVE")])
async def test_an_open_watch_sees_a_key_under_a_schema_that_is_new(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, apicurio: Apicurio, start: str, first: str
) -> None:
    async with (
        with_one_key(embedded_broker, embedded_topic, tmp_path, apicurio) as (served, write),
        connect(served.run.url) as own,
        aclosing(own.subscribe(updates(start))) as events,
    ):
        kinds = [seen(await anext(events))]
        await write()
        while kinds[-1] != ("LIVE", None) or ("SNAPSHOT", "2") not in kinds:
            kinds.append(seen(await anext(events)))
    assert kinds[0][0] == first
    assert [one for one in kinds if one[0] != "PROGRESS"][-4:-1] == [
        ("RESET", None),
        ("SNAPSHOT", "1"),
        ("SNAPSHOT", "2"),
    ]


@pytest.mark.kafka
async def test_a_client_that_resumes_does_not_miss_a_key_under_a_schema_that_was_new(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, apicurio: Apicurio
) -> None:
    async with with_one_key(embedded_broker, embedded_topic, tmp_path, apicurio) as (served, write):
        snapshot = updates("snapshot: true")
        async with connect(served.run.url) as own, aclosing(own.subscribe(snapshot)) as events:
            cursor = (await anext(events))["ordersUpdates"]["cursor"]
        await write()
        await shows(served, '{ ordersValue(key: {shop: "a", number: 1}) { value } }', "2")
        resumed = updates(f'after: "{cursor}"')
        async with connect(served.run.url) as own, aclosing(own.subscribe(resumed)) as events:
            kinds = [seen(await anext(events)) for _ in range(4)]
    assert kinds == [("RESET", None), ("SNAPSHOT", "1"), ("SNAPSHOT", "2"), ("LIVE", None)]


@pytest.mark.kafka
@pytest.mark.parametrize("field", ['ordersValue(key: {shop: "a", number: 1})', f"ordersValues({KEYS})"])
async def test_an_open_live_query_sees_a_key_under_a_schema_that_is_new(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, apicurio: Apicurio, field: str
) -> None:
    async with (
        with_one_key(embedded_broker, embedded_topic, tmp_path, apicurio) as (served, write),
        connect(served.run.url) as own,
        aclosing(own.subscribe(f"subscription {{ found: {field} {{ value }} }}")) as events,
    ):
        found = (await anext(events))["found"]
        assert found in ({"value": "1"}, [{"value": "1"}])
        await write()
        while found not in ({"value": "2"}, [{"value": "2"}]):
            found = (await anext(events))["found"]


def test_the_latest_of_several_encodings_is_by_timestamp_then_partition_then_offset() -> None:
    places = [(None, 9, 9), (1, 0, 5), (1, 0, 6), (1, 1, 0), (2, 0, 0)]
    records = [Record(b"k", b"v", partition, offset, timestamp, None) for timestamp, partition, offset in places]
    for count in range(1, len(records) + 1):
        for found in permutations(records[:count]):
            assert latest_of(found) is records[count - 1]
    assert latest_of(()) is None
