"""The typed data of the benchmark: what the floor reads is what the service shows."""

from datetime import datetime
from typing import Any

import orjson
import pytest

from bench.payments import AVRO, DEBEZIUM, FIELDS, JSON_SCHEMA, PROTOBUF, format_of, framed, op_reader, payment, records
from kvs_graphql.api.typed.outputs import OutputTypes
from kvs_graphql.formats import FormatLimits, SchemaFormat, SchemaText, Struct, load_codec


def shown(name: str, raw: bytes) -> dict[str, Any]:
    """The fields that the service shows of a record."""
    is_envelope = name == DEBEZIUM
    text = SchemaText(AVRO if is_envelope else name, format_of(name).schema)
    codec = load_codec(text, "Payment", frozenset(), FormatLimits(), is_framed=True, envelope=is_envelope)
    values = SchemaFormat(codec, text, 1, {1: text})
    values.make_ready([1])
    assert isinstance(codec.shape, Struct)
    outputs, decoded = OutputTypes(), values.decode(raw)
    return {field.name: outputs.part(field).read(decoded) for field in codec.shape.fields}


@pytest.mark.parametrize("name", [AVRO, PROTOBUF, JSON_SCHEMA, DEBEZIUM])
@pytest.mark.parametrize("number", [0, 1, 7])
def test_the_floor_reads_of_a_payment_what_the_service_shows(name: str, number: int) -> None:
    form = format_of(name)
    raw = framed(1, form.encode(payment(number)))
    read, ours = (orjson.loads(orjson.dumps(one)) for one in (form.read(raw), shown(name, raw)))
    assert list(ours) == FIELDS.split()
    for one in (read, ours):
        one["placedAt"] = datetime.fromisoformat(one["placedAt"])
        one["amountCents"] = int(one["amountCents"])
    assert read == ours


def test_the_op_of_an_envelope_is_read_alone() -> None:
    ((_, raw),) = records(DEBEZIUM, 5, 1, 1)
    assert (op_reader()(raw), raw[:5]) == ("u", b"\0\0\0\0\x05")
