"""Tables with schemas from a registry: written by independent serializers, read and written through GraphQL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.registry.apicurio import Apicurio
from tests.serving import Served, produce, serving_tables

pytestmark = pytest.mark.kafka

FIELDS: list[dict[str, Any]] = [{"name": "id", "type": "string"}, {"name": "amount", "type": "long"}]
COUNTED: list[dict[str, Any]] = [*FIELDS, {"name": "count", "type": "int", "default": 1}]


def order(fields: list[dict[str, Any]]) -> str:
    """The schema of an order with these fields."""
    return orjson.dumps({"type": "record", "name": "Order", "namespace": "shop", "fields": fields}).decode()


class Shop:
    """A topic of orders whose values are written by Confluent's serializer, and the service that serves it."""

    def __init__(self, served: Served, servers: str, topic: str, client: SchemaRegistryClient) -> None:
        self.served = served
        self.topic = topic
        self._servers = servers
        self._client = client
        self._context = SerializationContext(topic, MessageField.VALUE)

    async def write(self, key: str, value: Mapping[str, Any], schema: str) -> None:
        """Write an order, and wait until the table has it."""
        serialize = AvroSerializer(self._client, schema)
        await self.put(key, await asyncio.to_thread(serialize, dict(value), self._context))

    async def put(self, key: str, value: bytes | None) -> None:
        """Write a record, and wait until the table has it."""
        await self.served.applied(await produce(self._servers, self.topic, (key.encode(), value)), "orders")

    def read(self, value: bytes) -> Any:
        """A value as Confluent's deserializer reads it."""
        return AvroDeserializer(self._client)(value, self._context)

    async def value(self, key: str, fields: str = "id_ amount") -> Any:
        """The typed data of an order."""
        answer = await self.answer(key, fields)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]["ordersValue"]["data"]

    async def answer(self, key: str, fields: str = "id_ amount") -> Any:
        return await self.served.query(
            f'{{ ordersValue(key: "{key}") {{ value(encoding: HEX) data {{ {fields} }} }} }}'
        )

    async def schema(self) -> Any:
        """What the status says of the values' schema."""
        document = "{ status { tables { ready reason schemas { part subject version refused { version } problem } } } }"
        (table,) = (await self.served.data(document))["status"]["tables"]
        return table

    async def until(self, holds: Callable[[Any], bool]) -> Any:
        """Return the status of the values' schema once that holds."""
        while True:
            (found,) = (await self.schema())["schemas"]
            if holds(found):
                return found
            await asyncio.sleep(0.01)

    async def generation(self, version: int) -> None:
        """Return once a version of the schema is served."""
        await self.until(lambda found: found["version"] == version)


@pytest.fixture
async def shop(
    embedded_broker: EmbeddedBroker, embedded_topic: str, apicurio: Apicurio, tmp_path: Path
) -> AsyncIterator[Shop]:
    """A table of orders with two fields, in whose topic nothing is yet."""
    apicurio.register(f"{embedded_topic}-value", order(FIELDS))
    async with opened(embedded_broker, embedded_topic, apicurio, tmp_path) as shop:
        yield shop


@asynccontextmanager
async def opened(
    broker: EmbeddedBroker, topic: str, apicurio: Apicurio, directory: Path, **table: Any
) -> AsyncIterator[Shop]:
    """A service with one table of orders."""
    tables = {"orders": {"topic": topic, "value": "avro", "writes": True, **table}}
    registry = {"url": apicurio.url, "poll_seconds": 0.05, "failure_seconds": 0.05}
    with SchemaRegistryClient({"url": apicurio.url}) as client:
        async with serving_tables(broker.bootstrap_servers, tables, directory, schema_registry=registry) as served:
            yield Shop(served, broker.bootstrap_servers, topic, client)


async def test_a_value_of_another_serializer_is_read_by_the_fields_of_its_schema(shop: Shop) -> None:
    await shop.generation(1)
    await shop.write("a", {"id": "a", "amount": 2**60}, order(FIELDS))
    assert await shop.value("a") == {"id_": "a", "amount": str(2**60)}


async def test_a_value_written_by_a_mutation_is_read_by_another_deserializer(shop: Shop) -> None:
    await shop.generation(1)
    shown = "entry { data { id_ amount } value(encoding: HEX) }"
    document = f'mutation {{ ordersSet(key: "m", data: {{id_: "m", amount: "-5"}}) {{ {shown} }} }}'
    entry = (await shop.served.data(document))["ordersSet"]["entry"]
    assert entry["data"] == {"id_": "m", "amount": "-5"}
    assert shop.read(bytes.fromhex(entry["value"])) == {"id": "m", "amount": -5}


async def test_a_value_that_does_not_fit_is_refused_with_its_path(shop: Shop, apicurio: Apicurio) -> None:
    apicurio.register(f"{shop.topic}-value", order(COUNTED))
    await shop.generation(2)
    document = 'mutation { ordersSet(key: "m", data: {id_: "m", amount: 1, count: null}) { key } }'
    (error,) = (await shop.served.query(document))["errors"]
    assert (error["extensions"]["code"], "data.count" in error["message"]) == ("BAD_INPUT", True)


async def test_a_new_version_is_served_without_a_restart(shop: Shop, apicurio: Apicurio) -> None:
    await shop.generation(1)
    await shop.write("a", {"id": "a", "amount": 1}, order(FIELDS))
    apicurio.register(f"{shop.topic}-value", order(COUNTED))
    await shop.generation(2)
    await shop.write("b", {"id": "b", "amount": 2, "count": 7}, order(COUNTED))
    assert [await shop.value(key, "id_ count") for key in "ab"] == [{"id_": "a", "count": 1}, {"id_": "b", "count": 7}]
    schema = (await shop.served.http.get("/schema.graphql")).text
    assert "  count: Int!\n" in schema


async def test_a_version_that_cannot_read_the_earlier_ones_is_not_served(shop: Shop, apicurio: Apicurio) -> None:
    await shop.generation(1)
    subject = f"{shop.topic}-value"
    apicurio.set_compatibility(subject, "NONE")
    apicurio.register(subject, order([*FIELDS, {"name": "required", "type": "string"}]))
    found = await shop.until(lambda found: found["refused"] != [])
    assert (found["version"], found["refused"]) == (1, [{"version": 2}])
    await shop.write("a", {"id": "a", "amount": 1}, order(FIELDS))
    assert await shop.value("a") == {"id_": "a", "amount": "1"}


async def test_values_that_cannot_be_decoded_say_why_and_harm_no_neighbour(shop: Shop) -> None:
    await shop.generation(1)
    await shop.write("good", {"id": "good", "amount": 1}, order(FIELDS))
    for key, value in (("text", b"plain"), ("unknown", b"\0\x7f\xff\xff\xff\x02a"), ("cut", b"\0")):
        await shop.put(key, value)
    document = '{ ordersValues(keys: ["good", "text", "unknown", "cut"]) { data { id_ } value(encoding: HEX) } }'
    answer = await shop.served.query(document)
    found = answer["data"]["ordersValues"]
    assert [one["data"] for one in found] == [{"id_": "good"}, None, None, None]
    assert [one["value"] for one in found[1:]] == [b"plain".hex(), "007fffffff0261", "00"]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNDECODABLE"}
    assert [error["extensions"]["schemaId"] for error in answer["errors"]] == [None, 2**31 - 1, None]


async def test_reads_and_a_restart_need_no_registry(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    apicurio = Apicurio(tmp_path_factory.mktemp("registry"))
    apicurio.start()
    try:
        apicurio.register(f"{embedded_topic}-value", order(FIELDS))
        async with opened(embedded_broker, embedded_topic, apicurio, tmp_path) as shop:
            await shop.generation(1)
            await shop.write("a", {"id": "a", "amount": 1}, order(FIELDS))
            assert await shop.value("a") == {"id_": "a", "amount": "1"}
            apicurio.kill()
            assert await shop.value("a") == {"id_": "a", "amount": "1"}
        async with opened(embedded_broker, embedded_topic, apicurio, tmp_path) as shop:
            assert await shop.value("a") == {"id_": "a", "amount": "1"}
            assert (await shop.until(lambda found: found["problem"] is not None))["version"] == 1
    finally:
        apicurio.close()


async def test_without_registry_and_kept_schemas_the_table_is_read_as_text_and_not_ready(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    apicurio = Apicurio(tmp_path_factory.mktemp("registry"))
    try:
        async with opened(embedded_broker, embedded_topic, apicurio, tmp_path) as shop:
            await shop.put("a", b"raw")
            answer = await shop.served.data('{ ordersValue(key: "a") { value } }')
            assert answer == {"ordersValue": {"value": "raw"}}
            table = await shop.schema()
            assert (table["ready"], "the schema of values" in table["reason"]) == (False, True)
            response = await shop.served.http.get("/readyz")
            assert (response.status_code, "orders" in response.json()["tables"]) == (503, True)
            apicurio.start()
            apicurio.register(f"{shop.topic}-value", order(FIELDS))
            await shop.generation(1)
            await shop.write("b", {"id": "b", "amount": 1}, order(FIELDS))
            assert await shop.value("b") == {"id_": "b", "amount": "1"}
            assert (await shop.schema())["ready"]
    finally:
        apicurio.close()
