"""New versions of schemas of Protobuf and JSON Schema in a real registry, written by Confluent's serializers."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.protobuf import ProtobufSchema
from kvs_graphql.formats.protobuf.protoc import compile_schema
from tests.formats.protobuf.schemas import schema
from tests.registry.apicurio import Apicurio
from tests.schemas.shop import Shop
from tests.serving import serving_tables
from tests.transports import open_socket, receive, subscribe, until_active

pytestmark = pytest.mark.kafka

Tool = tuple[Callable[[Any, SerializationContext], bytes | None], Callable[[bytes, SerializationContext], Any]]
"""A serializer of orders, and a deserializer."""

PROTOBUF = (
    "string id = 1; int64 amount = 2;",
    "string id = 1; int64 amount = 2; optional int32 count = 3;",
    "string id = 1; string amount = 2; optional int32 count = 3;",
)
JSON_SCHEMA: tuple[dict[str, Any], ...] = (
    {"id": {"type": "string"}, "amount": {"type": "integer"}},
    {"id": {"type": "string"}, "amount": {"type": "integer"}, "count": {"type": "integer"}},
    {"id": {"type": "string"}, "amount": {"type": "string"}, "count": {"type": "integer"}},
)
"""The versions of each format: a field is added, then another one gets a type that cannot be read as before."""


def protobuf_text(fields: str) -> str:
    return f'syntax = "proto3"; package shop; message Order {{ {fields} }}'


def protobuf(client: SchemaRegistryClient, fields: str) -> Tool:
    compiled = ProtobufSchema(compile_schema(schema(protobuf_text(fields)), FormatLimits()))
    made, options = GetMessageClass(compiled.root("shop.Order")), {"use.deprecated.format": False}
    serialize, deserialize = ProtobufSerializer(made, client, options), ProtobufDeserializer(made, options, client)

    def shown(raw: bytes, context: SerializationContext) -> Any:
        read = json_format.MessageToDict(deserialize(raw, context))
        return {**read, "amount": int(read["amount"])}

    return lambda value, context: serialize(json_format.ParseDict(value, made()), context), shown


def json_schema_text(properties: dict[str, Any]) -> str:
    return orjson.dumps(
        {"title": "Order", "type": "object", "properties": properties, "required": ["id", "amount"]}
    ).decode()


def json_schema(client: SchemaRegistryClient, properties: dict[str, Any]) -> Tool:
    text = json_schema_text(properties)
    return JSONSerializer(text, client), JSONDeserializer(text)


@pytest.fixture
def client(apicurio: Apicurio) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": apicurio.url}) as client:
        yield client


@pytest.mark.parametrize(
    ("form", "made", "versions", "unreadable"),
    [
        pytest.param("protobuf", protobuf, PROTOBUF, ("PROTOBUF", protobuf_text(PROTOBUF[2])), id="protobuf"),
        pytest.param(
            "json_schema", json_schema, JSON_SCHEMA, ("JSON", json_schema_text(JSON_SCHEMA[2])), id="json_schema"
        ),
    ],
)
async def test_an_added_field_appears_without_a_restart_and_a_changed_one_is_refused(
    embedded_broker: EmbeddedBroker,
    embedded_topic: str,
    apicurio: Apicurio,
    client: SchemaRegistryClient,
    tmp_path: Path,
    form: str,
    made: Callable[[SchemaRegistryClient, Any], Tool],
    versions: tuple[Any, ...],
    unreadable: tuple[str, str],
) -> None:
    servers, context = embedded_broker.bootstrap_servers, SerializationContext(embedded_topic, MessageField.VALUE)
    old, new = [await asyncio.to_thread(made, client, one) for one in versions[:2]]
    written = await asyncio.to_thread(old[0], {"id": "old", "amount": 1}, context)
    tables = {"orders": {"topic": embedded_topic, "value": form, "writes": True}}
    registry = {"url": apicurio.url, "poll_seconds": 0.05}
    async with serving_tables(servers, tables, tmp_path, schema_registry=registry) as served, open_socket(served) as ws:
        shop = Shop(served, servers, embedded_topic, client)
        await shop.generation(1)
        await shop.put("old", written)
        await subscribe(ws, "1", "subscription { ordersUpdates { entry { data { id_ amount } } } }")
        await until_active(served.http, 1, "websocket")
        # The serializer registers its schema.
        await shop.put("new", await asyncio.to_thread(new[0], {"id": "new", "amount": 2, "count": 3}, context))
        await shop.generation(2)
        assert await shop.value("old", "id_ amount count") == {"id_": "old", "amount": "1", "count": None}
        assert str((await shop.value("new", "count"))["count"]) == "3"
        told = (await receive(ws))["payload"]["data"]["ordersUpdates"]["entry"]["data"]
        assert told == {"id_": "new", "amount": "2"}
        assert "count: " in (await served.http.get("/schema.graphql")).text
        apicurio.set_compatibility(f"{embedded_topic}-value", "NONE")
        apicurio.register(f"{embedded_topic}-value", unreadable[1], unreadable[0])
        found = await shop.until(lambda found: found["refused"] != [])
        assert (found["version"], found["refused"], found["problem"]) == (2, [{"version": 3}], None)
        assert await shop.value("old") == {"id_": "old", "amount": "1"}
        given = '{id_: "put", amount: 4, count: 5}'
        document = f'mutation {{ ordersSet(key: "put", data: {given}) {{ entry {{ value(encoding: HEX) }} }} }}'
        put = (await served.data(document))["ordersSet"]["entry"]["value"]
    assert await asyncio.to_thread(new[1], bytes.fromhex(put), context) == {"id": "put", "amount": 4, "count": 5}
