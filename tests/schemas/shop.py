"""A table of orders whose values are Avro with schemas from a registry."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.registry.apicurio import Apicurio
from tests.registry.front import Front
from tests.serving import Served, produce, serving_tables

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
        await self.put(key, await self.encoded(self.topic, schema, value))

    async def encoded(self, topic: str, schema: str, value: Mapping[str, Any]) -> bytes:
        """What Confluent's serializer writes into that topic, whose subject gets the schema."""
        serialize, context = AvroSerializer(self._client, schema), SerializationContext(topic, MessageField.VALUE)
        found: bytes = await asyncio.to_thread(serialize, dict(value), context)
        return found

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


@asynccontextmanager
async def opened(
    broker: EmbeddedBroker, topic: str, apicurio: Apicurio, directory: Path, front: Front | None = None, **table: Any
) -> AsyncIterator[Shop]:
    """A service with one table of orders, which asks the registry, or what stands before it."""
    tables = {"orders": {"topic": topic, "value": "avro", "writes": True, **table}}
    registry = {"url": (front or apicurio).url, "seconds_max": 1, "poll_seconds": 0.05, "failure_seconds": 0.05}
    with SchemaRegistryClient({"url": apicurio.url}) as client:
        async with serving_tables(broker.bootstrap_servers, tables, directory, schema_registry=registry) as served:
            await served.state(State.LIVE, "orders")
            yield Shop(served, broker.bootstrap_servers, topic, client)
