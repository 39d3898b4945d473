"""Envelopes of Debezium, in JSON with and without a schema around them, and in Avro."""

import json
import sys
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from kvs_graphql.formats.avro import AvroCodec, envelope_codec, op_reader
from kvs_graphql.formats.debezium import Envelope, json_envelope, json_op, json_payload
from kvs_graphql.formats.errors import BadSchema, DoesNotFit, Undecodable
from kvs_graphql.formats.limits import FormatLimits
from tests.formats.avro.schemas import record, text, written
from tests.formats.data import data, sdl
from tests.stacks import above, heights

LIMITS = FormatLimits()
BEFORE = '{"id": 7, "price": 1.50}'
AFTER = '{"id":7,"price":2.50,"large":12345678901234567890123}'
SOURCE = '"source":{"connector":"postgresql","ts_ms":1,"after":"no"},"ts_ms":2'


def envelope(op: str, before: str = "null", after: str = AFTER) -> str:
    return f'{{"before":{before},"after":{after},{SOURCE},"op":"{op}"}}'


def wrapped(payload: str) -> str:
    return f'{{"schema":{{"type":"struct","fields":[{{"field":"op"}}]}},"payload":{payload}}}'


@pytest.mark.parametrize("around", [str, wrapped], ids=["plain", "with a schema"])
@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (envelope("r"), Envelope("r", AFTER.encode())),
        (envelope("c"), Envelope("c", AFTER.encode())),
        (envelope("u", BEFORE), Envelope("u", AFTER.encode())),
        (envelope("d", BEFORE, "null"), Envelope("d", None)),
        (json.dumps(json.loads(envelope("c", after='{"a": 1}')), indent=1), Envelope("c", b'{"a":1}')),
    ],
)
def test_envelope_in_json_says_what_happened_and_has_the_row(around: Any, payload: str, expected: Envelope) -> None:
    raw = around(payload).encode()
    assert json_op(raw) == expected.op
    found = json_envelope(raw)
    assert (found.op, found.after and b"".join(found.after.split()), found.is_delete) == (
        expected.op,
        expected.after,
        expected.op == "d",
    )


def test_row_for_which_the_stack_is_too_short_is_undecodable() -> None:
    levels = sys.getrecursionlimit() // 2
    row = f'{{"deep":{"[" * levels}"{"x" * 40_000}"{"]" * levels}}}'
    raw = f'{{"schema":{{}},"payload":{envelope("c", after=row)}}}'.encode()
    for frames in heights(step=1):
        with suppress(Undecodable):
            assert above(frames, partial(json_envelope, raw)).after == row.encode()


def test_row_that_is_nested_very_deep_is_found() -> None:
    deep = "[" * 5_000 + "1" + "]" * 5_000
    raw = envelope("c", after=f'{{"deep":{deep}}}').encode()
    assert json_op(raw) == "c"
    assert json_envelope(raw).after == f'{{"deep":{deep}}}'.encode()


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"\xff", b"5", b"[]", b'"c"', b"null", b"{}", b'{"op":1,"after":{}}', b'{"op":"x","after":{}}'),
        *(b'{"payload":{"op":"c","after":{}}}', b'{"schema":{},"payload":null}', b'{"schema":{},"payload":5}'),
        b'{"op":"c","after":{}',
        b'{"op":["c"],"after":{}}',
    ],
)
def test_other_json_is_no_envelope(raw: bytes) -> None:
    with pytest.raises(Undecodable):
        json_op(raw)
    with pytest.raises(Undecodable):
        json_envelope(raw)


@pytest.mark.parametrize("raw", [b'{"op":"u"}', b'{"op":"c","after":null}'])
def test_change_without_a_row_is_no_envelope(raw: bytes) -> None:
    with pytest.raises(Undecodable, match="there is nothing after it"):
        json_envelope(raw)


@pytest.mark.parametrize(
    ("raw", "payload"),
    [
        (wrapped('{"id":7}'), '{"id":7}'),
        ('{"id":7}', '{"id":7}'),
        (wrapped("12345678901234567890123"), "12345678901234567890123"),
        (wrapped("null"), "null"),
        ("7", "7"),
        ('{"payload":7}', '{"payload":7}'),
    ],
)
def test_key_is_unwrapped(raw: str, payload: str) -> None:
    assert json_payload(raw.encode()) == payload.encode()


def test_key_that_is_not_json_is_undecodable() -> None:
    with pytest.raises(Undecodable, match="not JSON"):
        json_payload(b"{")


ROW = record(("id", "long"), ("price", ["null", "double"]), name="shop.public.orders.Value")
ROW_MORE = record(
    ("id", "long"),
    ("price", ["null", "double"]),
    {"name": "paid", "type": "boolean", "default": False},
    name="shop.public.orders.Value",
)
OP = {"type": "enum", "name": "Op", "symbols": ["c", "d", "x"]}


def envelope_schema(row: Any = ROW, op: Any = "string", **others: Any) -> Any:
    source = record(("connector", "string"), ("lsn", ["null", "long"]), name="io.debezium.Source")
    return record(
        ("before", ["null", row]),
        ("after", ["null", "Value"]),
        ("source", source),
        ("op", op),
        ("ts_ms", ["null", "long"]),
        name="shop.public.orders.Envelope",
        **others,
    )


def avro_envelope(op: str, before: Any = None, after: Any = None) -> dict[str, Any]:
    source = {"connector": "mysql", "lsn": 5}
    return {"before": before, "after": after, "source": source, "op": op, "ts_ms": 1}


def codec(schema: Any) -> AvroCodec:
    return envelope_codec(text(schema), "Orders", frozenset(), LIMITS)


@pytest.mark.parametrize("op", ["c", "r", "u"])
def test_envelope_in_avro_has_the_row_after_the_change(op: str) -> None:
    schema, row = envelope_schema(), {"id": 7, "price": 2.5}
    payload = written(schema, avro_envelope(op, row | {"price": 1.0} if op == "u" else None, row))
    assert op_reader(text(schema), LIMITS)(payload) == op
    orders = codec(schema)
    assert sdl(orders.shape) == "type Orders { id_: Int64!, price: Float }"
    found = orders.decode(payload, orders.parse(text(schema)))
    assert data(orders.shape, found) == {"id_": "7", "price": 2.5}
    assert orders.as_json(found) == b'{"id":7,"price":2.5}'


def test_envelope_in_avro_has_no_row_after_a_delete() -> None:
    schema = envelope_schema()
    payload = written(schema, avro_envelope("d", {"id": 7, "price": 2.5}))
    assert op_reader(text(schema), LIMITS)(payload) == "d"
    orders = codec(schema)
    assert orders.decode(payload, orders.parse(text(schema))) is None


def test_row_of_an_envelope_with_an_older_schema_is_read() -> None:
    orders = codec(envelope_schema(ROW_MORE))
    writer = orders.parse(text(envelope_schema()))
    found = orders.decode(written(envelope_schema(), avro_envelope("c", None, {"id": 7, "price": None})), writer)
    assert data(orders.shape, found) == {"id_": "7", "price": None, "paid": False}
    assert orders.decode(written(envelope_schema(), avro_envelope("d")), writer) is None
    with pytest.raises(BadSchema, match="cannot be read: id: string was written"):
        orders.parse(text(envelope_schema(record(("id", "string"), name="shop.public.orders.Value"))))


def test_op_may_be_an_enumeration_or_nullable() -> None:
    for op in (OP, ["null", "string"]):
        schema = envelope_schema(op=op)
        read = op_reader(text(schema), LIMITS)
        assert read(written(schema, avro_envelope("d"))) == "d"
        with pytest.raises(Undecodable, match="no envelope"):
            read(written(schema, avro_envelope("x")))


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x00\x00\x02a", b"\x06", b"\x00\x00\x02a\x00\x03"])
def test_broken_envelope_in_avro_is_undecodable(payload: bytes) -> None:
    with pytest.raises(Undecodable):
        op_reader(text(envelope_schema()), LIMITS)(payload)


def test_envelope_that_holds_too_much_is_undecodable() -> None:
    """Also what is skipped takes time."""
    row = record(("nulls", {"type": "array", "items": "null"}), name="shop.public.orders.Value")
    schema = envelope_schema(row)
    payload = b"\x02" + written("long", 2**60)
    with pytest.raises(Undecodable, match="more than 100,000 items"):
        op_reader(text(schema), LIMITS)(payload)
    orders = codec(schema)
    with pytest.raises(Undecodable, match="more than 100,000 items"):
        orders.decode(payload, orders.parse(text(schema)))


@pytest.mark.parametrize(
    "schema",
    ["string", ROW, record(("after", "int"), ("op", "string")), record(("after", ["null", record(name="R")]))],
)
def test_other_schema_is_not_that_of_an_envelope(schema: Any) -> None:
    with pytest.raises(BadSchema, match="not that of an envelope"):
        codec(schema)


def test_schema_without_an_op_is_not_that_of_an_envelope() -> None:
    with pytest.raises(BadSchema, match="not that of an envelope"):
        op_reader(text(ROW), LIMITS)


def test_envelopes_are_not_written() -> None:
    with pytest.raises(DoesNotFit, match="only Debezium"):
        codec(envelope_schema()).encode({"id_": 1})
