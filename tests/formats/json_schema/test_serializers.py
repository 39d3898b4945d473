"""Values of Confluent's own serializer, and its deserializer of values that are written here."""

import orjson
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.framing import FRAME_BYTES, frame, schema_id_of
from kvs_graphql.formats.json_schema import json_schema_codec
from tests.formats.data import data
from tests.formats.json_schema.schemas import LIMITS, record

STRING = {"type": "string"}
CUSTOMER = record(name_=STRING, city=STRING)
ORDER = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Order"} | record(
    id_={"type": "integer"},
    total_={"type": "number"},
    by_={"$ref": "customer.json"},
    at={**STRING, "format": "date-time"},
)
CONTEXT = SerializationContext("orders", MessageField.VALUE)


def test_serializer_and_deserializer_agree_with_the_codec() -> None:
    registry = SchemaRegistryClient.new_client({"url": "mock://registry"})
    registry.register_schema("customers", Schema(orjson.dumps(CUSTOMER).decode(), "JSON"))
    source = Schema(orjson.dumps(ORDER).decode(), "JSON", [SchemaReference("customer.json", "customers", 1)])
    value = {"id": 2**53 + 1, "total": 12.5, "by": {"name": "Zoë"}, "at": "2026-01-31T09:30:00Z"}
    raw = JSONSerializer(source, registry)(value, CONTEXT)
    assert raw is not None
    schema_id = schema_id_of(raw)
    assert schema_id is not None
    references = (("customer.json", SchemaText("json_schema", orjson.dumps(CUSTOMER).decode())),)
    found = registry.get_schema(schema_id).schema_str
    assert found is not None
    made = json_schema_codec(SchemaText("json_schema", found, references), "Orders", frozenset(), LIMITS)
    assert data(made.shape, made.decode(raw[FRAME_BYTES:])) == {
        "id_": "9007199254740993",
        "total": 12.5,
        "by": {"name": "Zoë", "city": None},
        "at": "2026-01-31T09:30:00Z",
    }
    given = {"id_": 2**53 + 1, "total": 12.5, "by": {"name": "Zoë"}, "at": "2026-01-31T09:30:00Z"}
    written = frame(schema_id, made.encode(given))
    assert JSONDeserializer(source, schema_registry_client=registry)(written, CONTEXT) == value
