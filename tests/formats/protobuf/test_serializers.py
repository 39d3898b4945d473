"""Values of Confluent's own serializer, with what it registers, and its deserializer of what is written here."""

from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.framing import FRAME_BYTES, frame, schema_id_of
from kvs_graphql.formats.protobuf import ProtobufCodec, ProtobufSchema, protobuf_codec
from kvs_graphql.formats.protobuf.protoc import compile_schema
from tests.formats.data import data
from tests.formats.protobuf.schemas import LIMITS, schema

MONEY = 'syntax = "proto3"; package shop; message Money { int64 cents = 1; string currency = 2; }'
ORDER = """
syntax = "proto3"; package shop;
import "google/protobuf/timestamp.proto"; import "google/type/date.proto"; import "money.proto";
message Note { string text = 1; }
message Order {
  int64 id = 1; google.protobuf.Timestamp at = 2; google.type.Date due = 3; Money total = 4;
  oneof payment { Card card = 5; string voucher = 6; }
  map<string, int32> counts = 7;
  message Card { string number = 1; }
}
"""
VALUE = {
    "id": "9223372036854775807",
    "at": "2026-01-31T09:30:00.5Z",
    "due": {"year": 2026, "month": 2, "day": 28},
    "total": {"cents": "1250", "currency": "EUR"},
    "card": {"number": "4000"},
    "counts": {"a": 1},
}
CONTEXT = SerializationContext("orders", MessageField.VALUE)
SOURCE = schema(ORDER, money=MONEY)


@pytest.fixture
def registry() -> Any:
    """A registry in memory."""
    return SchemaRegistryClient.new_client({"url": "mock://registry"})


def _serialized(registry: Any, message: str, value: dict[str, Any]) -> bytes:
    one = ProtobufSchema(compile_schema(SOURCE, LIMITS))
    made = GetMessageClass(one.root(message))
    serialize = ProtobufSerializer(made, registry, {"use.deprecated.format": False})
    written: bytes | None = serialize(json_format.ParseDict(value, made(), descriptor_pool=one.pool), CONTEXT)
    assert written is not None
    return written


def _registered(registry: Any, schema_id: int) -> SchemaText:
    found = registry.get_schema(schema_id)
    references = ((one.name, registry.get_version(one.subject, one.version).schema) for one in found.references)
    return SchemaText(
        "protobuf",
        found.schema_str,
        tuple((name, SchemaText("protobuf", referred.schema_str)) for name, referred in references),
    )


def _codec(one: SchemaText, message: str) -> ProtobufCodec:
    return protobuf_codec(one, "Orders", frozenset(), LIMITS, message=message, is_framed=True)


@pytest.mark.parametrize("is_of_the_text", [True, False])
def test_values_are_read_by_what_the_serializer_registers(registry: Any, is_of_the_text: bool) -> None:
    raw = _serialized(registry, "shop.Order", VALUE)
    schema_id = schema_id_of(raw)
    assert schema_id is not None
    registered = _registered(registry, schema_id)
    made = _codec(SOURCE if is_of_the_text else registered, "shop.Order")
    assert data(made.shape, made.decode(raw[FRAME_BYTES:], made.parse(registered))) == {
        "id_": "9223372036854775807",
        "at": "2026-01-31T09:30:00.500000000Z",
        "due": {"year": 2026, "month": 2, "day": 28},
        "total": {"cents": "1250", "currency": "EUR"},
        "payment": {"__typename": "OrdersOrderCard", "number": "4000"},
        "counts": [{"key": "a", "value": 1}],
    }


@pytest.mark.parametrize(
    ("message", "value", "given"),
    [
        ("shop.Note", {"text": "x"}, {"text": "x"}),
        ("shop.Order.Card", {"number": "4000"}, {"number": "4000"}),
        (
            "shop.Order",
            VALUE,
            {
                "id_": 2**63 - 1,
                "at": "2026-01-31T10:30:00.5+01:00",
                "due": {"year": 2026, "month": 2, "day": 28},
                "total": {"cents": 1250, "currency": "EUR"},
                "payment": {"card": {"number": "4000"}},
                "counts": [{"key": "a", "value": 1}],
            },
        ),
    ],
)
def test_what_is_written_is_what_the_serializer_writes(
    registry: Any, message: str, value: dict[str, Any], given: dict[str, Any]
) -> None:
    raw = _serialized(registry, message, value)
    schema_id = schema_id_of(raw)
    assert schema_id is not None
    written = frame(schema_id, _codec(SOURCE, message).encode(given))
    assert written == raw
    one = ProtobufSchema(compile_schema(SOURCE, LIMITS))
    deserialize = ProtobufDeserializer(GetMessageClass(one.root(message)), {"use.deprecated.format": False}, registry)
    assert json_format.MessageToDict(deserialize(written, CONTEXT), descriptor_pool=one.pool)
