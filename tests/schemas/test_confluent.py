"""Typed tables beside Confluent's own serializers, with schemas that refer to others in a real registry."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
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
from tests.serving import produce, serving_tables
from tests.tables.served import until_ready

pytestmark = pytest.mark.kafka

Serialize = Callable[[Any, SerializationContext], bytes | None]
Deserialize = Callable[[bytes, SerializationContext], Any]


@dataclass(frozen=True)
class Tool:
    """A serializer of orders, and a deserializer, which gives what the serializer takes."""

    serialize: Serialize
    deserialize: Deserialize


def avro(client: SchemaRegistryClient, subject: str) -> Tool:
    """Orders that refer to money, which refers to a currency."""
    currency = {"type": "enum", "name": "Currency", "namespace": "shop", "symbols": ["EUR", "USD"]}
    money = _record("Money", cents="long", currency="shop.Currency")
    order = _record("Order", id="string", total="shop.Money", fee=["null", "shop.Money"], paid_in="shop.Currency")
    of_currency, of_money = f"{subject}-currency", f"{subject}-money"
    client.register_schema(of_currency, Schema(_text(currency), "AVRO"))
    referred = [SchemaReference("shop.Currency", of_currency, 1)]
    client.register_schema(of_money, Schema(_text(money), "AVRO", referred))
    source = Schema(_text(order), "AVRO", [*referred, SchemaReference("shop.Money", of_money, 1)])
    return Tool(AvroSerializer(client, source), AvroDeserializer(client))


def json_schema(client: SchemaRegistryClient, subject: str) -> Tool:
    """Orders that refer to money, which refers to a currency."""
    # Without properties, Apicurio does not know it for a schema of JSON.
    currency = {**_object(), "definitions": {"Currency": {"enum": ["EUR", "USD"]}}}
    money = _object(cents={"type": "integer"}, currency={"$ref": "currency.json#/definitions/Currency"})
    money_or_not = {"anyOf": [{"$ref": "money.json"}, {"type": "null"}]}
    order = _object(
        id={"type": "string"},
        total={"$ref": "money.json"},
        fee=money_or_not,
        paid_in={"$ref": "currency.json#/definitions/Currency"},
    )
    of_currency, of_money = f"{subject}-currency", f"{subject}-money"
    client.register_schema(of_currency, Schema(_text(currency), "JSON"))
    referred = [SchemaReference("currency.json", of_currency, 1)]
    client.register_schema(of_money, Schema(_text(money), "JSON", referred))
    source = Schema(_text(order), "JSON", [*referred, SchemaReference("money.json", of_money, 1)])
    return Tool(JSONSerializer(source, client), JSONDeserializer(source, schema_registry_client=client))


def protobuf(client: SchemaRegistryClient, subject: str) -> Tool:
    """Orders of a file that imports one with money, which imports one with a currency. The serializer registers all."""
    currency = 'syntax = "proto3"; package shop; enum Currency { EUR = 0; USD = 1; }'
    money = """
    syntax = "proto3"; package shop; import "currency.proto";
    message Money { int64 cents = 1; Currency currency = 2; }
    """
    order = """
    syntax = "proto3"; package shop; import "currency.proto"; import "money.proto";
    message Order { string id = 1; Money total = 2; Money fee = 3; Currency paid_in = 4; }
    """
    one = ProtobufSchema(compile_schema(schema(order, money=money, currency=currency), FormatLimits()))
    made, options = GetMessageClass(one.root("shop.Order")), {"use.deprecated.format": False}
    names = {"reference.subject.name.strategy": lambda _, reference: f"{subject}-{reference}"}
    serialize = ProtobufSerializer(made, client, options | names)
    deserialize = ProtobufDeserializer(made, options, client)

    def shown(raw: bytes, context: SerializationContext) -> Any:
        read = json_format.MessageToDict(deserialize(raw, context), always_print_fields_with_no_presence=True)
        money = {name: {**read[name], "cents": int(read[name]["cents"])} for name in ("total", "fee") if name in read}
        return {"fee": None, "paid_in": read.pop("paidIn"), **read, **money}

    return Tool(lambda value, context: serialize(json_format.ParseDict(value, made()), context), shown)


def _record(name: str, **types: Any) -> dict[str, Any]:
    fields = [{"name": field, "type": kind} for field, kind in types.items()]
    return {"type": "record", "name": name, "namespace": "shop", "fields": fields}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _text(document: object) -> str:
    return orjson.dumps(document).decode()


@pytest.fixture
def client(apicurio: Apicurio) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": apicurio.url}) as client:
        yield client


@pytest.mark.parametrize("made", [avro, json_schema, protobuf])
async def test_values_with_references_are_read_and_written_as_confluents_serializers_do(
    embedded_broker: EmbeddedBroker,
    embedded_topic: str,
    tmp_path: Path,
    apicurio: Apicurio,
    client: SchemaRegistryClient,
    made: Callable[[SchemaRegistryClient, str], Tool],
) -> None:
    servers, context = embedded_broker.bootstrap_servers, SerializationContext(embedded_topic, MessageField.VALUE)
    tool = await asyncio.to_thread(made, client, embedded_topic)
    theirs = {"id": "a", "total": {"cents": 2**53 + 1, "currency": "USD"}, "fee": None, "paid_in": "EUR"}
    raw = await asyncio.to_thread(tool.serialize, theirs, context)
    tables = {"orders": {"topic": embedded_topic, "value": made.__name__, "writes": True}}
    shown = "data { id_ total { cents currency } fee { cents } paid_in }"
    registry = {"url": apicurio.url, "poll_seconds": 0.05}
    async with serving_tables(servers, tables, tmp_path, schema_registry=registry) as served:
        await until_ready(served)
        await served.applied(await produce(servers, embedded_topic, (b"a", raw)), "orders")
        found = (await served.data(f'{{ ordersValue(key: "a") {{ {shown} }} }}'))["ordersValue"]["data"]
        total = {"cents": str(2**53 + 1), "currency": "USD"}
        assert found == {"id_": "a", "total": total, "fee": None, "paid_in": "EUR"}
        given = '{id_: "b", total: {cents: "-5", currency: EUR}, fee: {cents: 7, currency: USD}, paid_in: USD}'
        entry = "entry { value(encoding: HEX) }"
        written = (await served.data(f'mutation {{ ordersSet(key: "b", data: {given}) {{ {entry} }} }}'))["ordersSet"]
    read = await asyncio.to_thread(tool.deserialize, bytes.fromhex(written["entry"]["value"]), context)
    fee = {"cents": 7, "currency": "USD"}
    assert read == {"id": "b", "total": {"cents": -5, "currency": "EUR"}, "fee": fee, "paid_in": "USD"}
