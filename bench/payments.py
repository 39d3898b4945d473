"""The typed data of the benchmark: payments of ten fields, in every format with a schema, and Debezium's envelopes.

Each format reads a payment with its library alone, into what orjson encodes: as the floor of typed reads does.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from itertools import cycle, islice
from typing import Any

import fastavro
import jsonschema_rs
import orjson

from bench.data import key
from kvs_graphql.formats import FormatLimits, SchemaText
from kvs_graphql.formats.protobuf.protoc import compile_schema
from kvs_graphql.formats.protobuf.schema import ProtobufSchema

FIELDS = "reference customer status amountCents quantity weight express placedAt note country"
"""As all formats name them, and GraphQL too."""
AVRO, PROTOBUF, JSON_SCHEMA, DEBEZIUM = "avro", "protobuf", "json_schema", "debezium"

_FRAME_BYTES = 5
_NUMBERS = 10_000
_PLACED_MS = 1_764_245_000_000
_STATUSES = ("OPEN", "PAID", "FAILED")

Payment = dict[str, Any]
Encode = Callable[[Payment], bytes]
Read = Callable[[bytes], Any]
"""From the bytes of a record, with the registry's framing."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its schema as a registry has it, how records are written, and how the library reads them."""

    kind: str
    """In the registry."""
    schema: str
    encode: Encode
    """What follows the registry's framing."""
    read: Read


def payment(number: int, reference: str = "") -> Payment:
    """The payment with this number."""
    return {
        "reference": reference or f"payment-{number:016d}",
        "customer": f"customer-{number % 97:04d}",
        "status": _STATUSES[number % 3],
        "amountCents": 100_000_000 + number * 7_919,
        "quantity": number % 100,
        "weight": number / 8,
        "express": number % 2 == 0,
        "placedAt": _PLACED_MS + number,
        "note": "handle with care" if number % 2 else None,
        "country": "NL",
    }


def framed(schema_id: int, payload: bytes) -> bytes:
    """A payload as Confluent's serializers frame it."""
    return struct.pack(">bI", 0, schema_id) + payload


def records(name: str, schema_id: int, count: int, keys: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield records of a format, each key in turn; their values repeat, because encoding takes long."""
    encode = format_of(name).encode
    values = [framed(schema_id, encode(payment(number))) for number in range(min(count, _NUMBERS))]
    numbered = enumerate(islice(cycle(values), count))
    return ((key(number % keys), value) for number, value in numbered)


@cache
def format_of(name: str) -> Format:
    """The format with that name."""
    return _FORMATS[name]()


def op_reader() -> Callable[[bytes], str]:
    """What reads only the `op` of an envelope, with the library alone."""
    op = [one for one in _DEBEZIUM_SCHEMA["fields"] if one["name"] == "op"]
    written, wanted = (fastavro.parse_schema(one) for one in (_DEBEZIUM_SCHEMA, {**_DEBEZIUM_SCHEMA, "fields": op}))

    def read(value: bytes) -> str:
        found: Any = fastavro.schemaless_reader(BytesIO(value[_FRAME_BYTES:]), written, wanted)
        op: str = found["op"]
        return op

    return read


def _avro() -> Format:
    schema = fastavro.parse_schema(_AVRO_SCHEMA)

    def encode(one: Payment) -> bytes:
        stream = BytesIO()
        fastavro.schemaless_writer(stream, schema, one)
        return stream.getvalue()

    def read(value: bytes) -> Payment:
        found: Any = fastavro.schemaless_reader(BytesIO(value[_FRAME_BYTES:]), schema, None)
        # The only one of the fields that is another type in JSON.
        found["amountCents"] = str(found["amountCents"])
        return found  # type: ignore[no-any-return]

    return Format("AVRO", orjson.dumps(_AVRO_SCHEMA).decode(), encode, read)


def _protobuf() -> Format:
    compiled = ProtobufSchema(compile_schema(SchemaText(PROTOBUF, _PROTOBUF_SCHEMA), FormatLimits()))
    message_class: Any = compiled.message_class(compiled.root(""))

    def encode(one: Payment) -> bytes:
        message = message_class(**{**one, "placedAt": None})
        message.placedAt.FromMilliseconds(one["placedAt"])
        # The index of the first message of the schema.
        return b"\0" + bytes(message.SerializeToString())

    def read(value: bytes) -> Payment:
        one = message_class.FromString(value[_FRAME_BYTES + 1 :])
        placed = one.placedAt
        return {
            "reference": one.reference,
            "customer": one.customer,
            "status": _STATUSES[one.status],
            "amountCents": str(one.amountCents),
            "quantity": one.quantity,
            "weight": one.weight,
            "express": one.express,
            "placedAt": datetime.fromtimestamp(placed.seconds + placed.nanos / 1e9, UTC),
            "note": one.note if one.HasField("note") else None,
            "country": one.country,
        }

    return Format("PROTOBUF", _PROTOBUF_SCHEMA, encode, read)


def _json_schema() -> Format:
    is_valid = jsonschema_rs.validator_for(_JSON_SCHEMA).is_valid

    def encode(one: Payment) -> bytes:
        return orjson.dumps({**one, "placedAt": datetime.fromtimestamp(one["placedAt"] / 1000, UTC)})

    def read(value: bytes) -> Payment:
        found: Payment = orjson.loads(value[_FRAME_BYTES:])
        if not is_valid(found):
            raise ValueError("a payment does not match its schema")
        found["amountCents"] = str(found["amountCents"])
        return found

    return Format("JSON", orjson.dumps(_JSON_SCHEMA).decode(), encode, read)


def _debezium() -> Format:
    schema = fastavro.parse_schema(_DEBEZIUM_SCHEMA)
    source = {"version": "3.3.0", "connector": "postgresql", "name": "shop", "ts_ms": _PLACED_MS, "db": "shop"}
    source |= {"schema": "public", "table": "payments", "lsn": 34_000_000_000}

    def encode(one: Payment) -> bytes:
        stream = BytesIO()
        envelope = {"before": None, "after": one, "source": source, "op": "u", "ts_ms": _PLACED_MS}
        fastavro.schemaless_writer(stream, schema, envelope)
        return stream.getvalue()

    def read(value: bytes) -> Any:
        found: Any = fastavro.schemaless_reader(BytesIO(value[_FRAME_BYTES:]), schema, None)
        return found["after"]

    return Format("AVRO", orjson.dumps(_DEBEZIUM_SCHEMA).decode(), encode, read)


_FORMATS = {AVRO: _avro, PROTOBUF: _protobuf, JSON_SCHEMA: _json_schema, DEBEZIUM: _debezium}

_AVRO_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Payment",
    "namespace": "bench",
    "fields": [
        {"name": "reference", "type": "string"},
        {"name": "customer", "type": "string"},
        {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": list(_STATUSES)}},
        {"name": "amountCents", "type": "long"},
        {"name": "quantity", "type": "int"},
        {"name": "weight", "type": "double"},
        {"name": "express", "type": "boolean"},
        {"name": "placedAt", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "country", "type": "string"},
    ],
}
_DEBEZIUM_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Envelope",
    "namespace": "bench",
    "fields": [
        {"name": "before", "type": ["null", _AVRO_SCHEMA], "default": None},
        {"name": "after", "type": ["null", "bench.Payment"], "default": None},
        {
            "name": "source",
            "type": {
                "type": "record",
                "name": "Source",
                "fields": [
                    *({"name": name, "type": "string"} for name in ("version", "connector", "name")),
                    {"name": "ts_ms", "type": "long"},
                    *({"name": name, "type": "string"} for name in ("db", "schema", "table")),
                    {"name": "lsn", "type": ["null", "long"], "default": None},
                ],
            },
        },
        {"name": "op", "type": "string"},
        {"name": "ts_ms", "type": ["null", "long"], "default": None},
    ],
}
_PROTOBUF_SCHEMA = """
syntax = "proto3";
package bench;
import "google/protobuf/timestamp.proto";
message Payment {
  string reference = 1;
  string customer = 2;
  Status status = 3;
  int64 amountCents = 4;
  int32 quantity = 5;
  double weight = 6;
  bool express = 7;
  google.protobuf.Timestamp placedAt = 8;
  optional string note = 9;
  string country = 10;
  enum Status { OPEN = 0; PAID = 1; FAILED = 2; }
}
"""
_TEXT = {"type": "string"}
_JSON_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Payment",
    "type": "object",
    "properties": {
        "reference": _TEXT,
        "customer": _TEXT,
        "status": {"enum": list(_STATUSES)},
        "amountCents": {"type": "integer"},
        "quantity": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
        "weight": {"type": "number"},
        "express": {"type": "boolean"},
        "placedAt": {"type": "string", "format": "date-time"},
        "note": {"type": ["string", "null"]},
        "country": _TEXT,
    },
    "required": [name for name in FIELDS.split() if name != "note"],
}
