"""Debezium's envelopes in JSON and Avro: the row is what a table shows, and `op: d` deletes it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from kvs_graphql.client import connect
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.deadline import SECONDS_MAX
from tests.registry.apicurio import Apicurio
from tests.registry.front import answering, front_of
from tests.serving import Served, produce, serving_tables

ROW = [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]
SCHEMA = orjson.dumps(
    {
        "type": "record",
        "name": "Envelope",
        "namespace": "shop.public.people",
        "fields": [
            {"name": "before", "type": ["null", {"type": "record", "name": "Value", "fields": ROW}], "default": None},
            {"name": "after", "type": ["null", "Value"], "default": None},
            {
                "name": "source",
                "type": {"type": "record", "name": "Source", "fields": [{"name": "lsn", "type": "long"}]},
            },
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": ["null", "long"], "default": None},
        ],
    }
).decode()


def envelope(op: str, before: Any, after: Any) -> dict[str, Any]:
    """What Debezium says of a change."""
    return {"before": before, "after": after, "source": {"lsn": 1}, "op": op, "ts_ms": 1}


def person(name: str) -> dict[str, Any]:
    return {"id": 1, "name": name}


class People:
    """A topic of changes of people, and the service that serves it."""

    def __init__(self, served: Served, servers: str, topic: str) -> None:
        self.served = served
        self._servers = servers
        self._topic = topic

    async def put(self, value: bytes | None, key: bytes = b"1") -> None:
        """Write a record, and wait until the table has it."""
        await self.served.applied(await produce(self._servers, self._topic, (key, value)), "people")

    async def send(self, value: bytes | None, key: bytes = b"1") -> None:
        """Write a record."""
        await produce(self._servers, self._topic, (key, value))

    async def shown(self, selection: str = "json", key: str = "1") -> Any:
        """What the table shows of a person; None where there is none."""
        answer = await self.served.query(f"{{ peopleValue(key: {orjson.dumps(key).decode()}) {{ {selection} }} }}")
        return answer["data"]["peopleValue"]

    async def until(self, holds: Callable[[Any], bool]) -> None:
        """Return once what `/readyz` says of the table is so."""
        while True:
            if holds((await self.served.http.get("/readyz")).json()["tables"]["people"]):
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def people(broker: EmbeddedBroker, topic: str, directory: Path, **table: Any) -> AsyncIterator[People]:
    """A service with a table of people whose values are envelopes."""
    registry = table.pop("registry", {})
    tables = {"people": {"topic": topic, "envelope": "debezium", **table}}
    servers = broker.bootstrap_servers
    async with serving_tables(servers, tables, directory, schema_registry=registry) as served:
        yield People(served, servers, topic)


@pytest.mark.parametrize(
    "wrapped",
    [lambda value: value, lambda value: {"schema": {"type": "struct"}, "payload": value}],
    ids=["bare", "wrapped"],
)
async def test_rows_in_json_are_shown_and_deleted(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, wrapped: Callable[[Any], Any]
) -> None:
    def written(op: str, before: Any, after: Any) -> bytes:
        return orjson.dumps(wrapped(envelope(op, before, after)))

    async with people(embedded_broker, embedded_topic, tmp_path, key="json", value="json") as table:
        key = orjson.dumps(wrapped({"id": 1}))
        for op, before, name in (("r", None, "Ann"), ("c", None, "Bob"), ("u", person("Bob"), "Cid")):
            await table.put(written(op, before, person(name)), key)
            shown = await table.shown("json data keyData value", key.decode())
            assert (shown["json"], shown["data"], shown["keyData"]) == (person(name), person(name), {"id": 1})
            assert orjson.loads(shown["value"]) == wrapped(envelope(op, before, person(name)))
        await table.put(written("d", person("Cid"), None), key)
        assert await table.shown("json", key.decode()) is None
        await table.put(None, key)
        assert await table.shown("json", key.decode()) is None


async def test_a_delete_and_its_tombstone_are_an_update_each(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        people(embedded_broker, embedded_topic, tmp_path, value="json") as table,
    ):
        await table.put(orjson.dumps(envelope("c", None, person("Ann"))))
        document = "subscription { peopleUpdates(snapshot: true) { kind offset entry { json } } }"
        async with connect(table.served.run.url) as own, aclosing(own.subscribe(document)) as events:
            updates = [(await anext(events))["peopleUpdates"]]
            await table.send(orjson.dumps(envelope("d", person("Ann"), None)))
            await table.send(None)
            await table.send(orjson.dumps(envelope("c", None, person("Bob"))))
            while updates[-1]["kind"] != "SET":
                updates.append((await anext(events))["peopleUpdates"])
    assert [(one["kind"], one["offset"], one["entry"]) for one in updates if one["kind"] != "LIVE"] == [
        ("SNAPSHOT", 0, {"json": person("Ann")}),
        ("DELETE", 1, None),
        ("DELETE", 2, None),
        ("SET", 3, {"json": person("Bob")}),
    ]


async def test_what_is_no_envelope_is_stored_and_says_so(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with people(embedded_broker, embedded_topic, tmp_path, value="json") as table:
        for value in (b"plain", b"{}", b'{"op": "x", "after": {}}', b"[1]"):
            await table.put(value)
            assert await table.shown("json data value") == {"json": None, "data": None, "value": value.decode()}
            for field in ("json", "data"):
                assert await table.served.code(f'{{ peopleValue(key: "1") {{ {field} }} }}') == "UNDECODABLE"


@pytest.mark.kafka
async def test_rows_in_avro_are_typed_and_deleted(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, apicurio: Apicurio
) -> None:
    context = SerializationContext(embedded_topic, MessageField.VALUE)
    registry = {"url": apicurio.url, "poll_seconds": 0.05}
    with SchemaRegistryClient({"url": apicurio.url}) as client:
        serialize = AvroSerializer(client, SCHEMA)
        first = await asyncio.to_thread(serialize, envelope("c", None, person("Ann")), context)
        gone = await asyncio.to_thread(serialize, envelope("d", person("Ann"), None), context)
    async with people(embedded_broker, embedded_topic, tmp_path, value="avro", registry=registry) as table:
        await table.put(first)
        await table.until(lambda found: found["ready"])
        assert await table.shown("data { id_ name }") == {"data": {"id_": "1", "name": "Ann"}}
        await table.put(gone)
        assert await table.shown("data { name }") is None


@pytest.mark.kafka
async def test_envelopes_wait_for_a_registry_that_is_away(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    context = SerializationContext(embedded_topic, MessageField.VALUE)
    apicurio = Apicurio(tmp_path_factory.mktemp("registry"))
    apicurio.start()
    try:
        registry = {"url": apicurio.url, "poll_seconds": 0.05, "failure_seconds": 0.05}
        with SchemaRegistryClient({"url": apicurio.url}) as client:
            serialize = AvroSerializer(client, SCHEMA)
            first = await asyncio.to_thread(serialize, envelope("c", None, person("Ann")), context)
            gone = await asyncio.to_thread(serialize, envelope("d", person("Ann"), None), context)
        apicurio.kill()
        async with people(embedded_broker, embedded_topic, tmp_path, value="avro", registry=registry) as table:
            await table.send(first)
            await table.until(lambda found: "an envelope needs" in found["reason"])
            assert await table.shown("value") is None
            apicurio.start()
            apicurio.register(f"{embedded_topic}-value", SCHEMA)
            await table.put(gone)
            assert await table.shown("value") is None
            await table.until(lambda found: found["ready"])
    finally:
        apicurio.close()


@pytest.mark.kafka
@pytest.mark.parametrize("status", [401, 404, 503])
async def test_a_delete_that_arrives_while_the_registry_is_away_waits_for_it_and_then_deletes(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, apicurio: Apicurio, status: int
) -> None:
    context = SerializationContext(embedded_topic, MessageField.VALUE)
    with SchemaRegistryClient({"url": apicurio.url}) as client:
        serialize = AvroSerializer(client, SCHEMA)
        first = await asyncio.to_thread(serialize, envelope("c", None, person("Ann")), context)
        async with asyncio.timeout(SECONDS_MAX), front_of(apicurio.url) as front:
            registry = {"url": front.url, "poll_seconds": 0.05, "failure_seconds": 0.05}
            async with people(embedded_broker, embedded_topic, tmp_path, value="avro", registry=registry) as table:
                await table.put(first)
                await table.until(lambda found: found["ready"])
                front.behave(answering(status))
                newer = AvroSerializer(client, SCHEMA.replace('"ts_ms"', '"ts_us"'))
                gone = await asyncio.to_thread(newer, envelope("d", person("Ann"), None), context)
                await table.send(gone)
                needed = f"an envelope needs the schema {int.from_bytes(gone[1:5])}: "
                await table.until(lambda found: needed in found["reason"])
                assert (await table.served.http.get("/readyz")).status_code == 503
                assert await table.shown("data { name }") == {"data": {"name": "Ann"}}
                front.behave()
                await table.put(first, b"2")
                assert await table.shown("value") is None
                assert await table.shown("data { name }", "2") == {"data": {"name": "Ann"}}
                await table.until(lambda found: found["ready"])
