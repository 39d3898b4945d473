"""What Java's serializers write for numbers and UUIDs."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.errors import BadSchema, DoesNotFit, Undecodable
from kvs_graphql.formats.plain import plain_codec
from tests.formats.data import data, sdl


@pytest.mark.parametrize(
    ("name", "value", "payload", "shown", "kind"),
    [
        ("int", -2, "fffffffe", -2, "Int"),
        ("int", 2**31 - 1, "7fffffff", 2**31 - 1, "Int"),
        ("long", -2, "fffffffffffffffe", "-2", "Int64"),
        ("long", 2**63 - 1, "7fffffffffffffff", str(2**63 - 1), "Int64"),
        ("uuid", UUID(int=10), b"00000000-0000-0000-0000-00000000000a".hex(), str(UUID(int=10)), "UUID"),
    ],
)
def test_value_has_the_bytes_that_java_writes(name: str, value: Any, payload: str, shown: Any, kind: str) -> None:
    codec = plain_codec(name)
    assert sdl(codec.shape) == kind
    assert codec.encode(value).hex() == payload
    assert data(codec.shape, codec.decode(bytes.fromhex(payload), None)) == shown


def test_json_has_numbers_as_numbers() -> None:
    assert plain_codec("long").as_json(2**63 - 1) == b"9223372036854775807"
    assert plain_codec("uuid").as_json("a") == b'"a"'


def test_uuid_is_shown_as_it_was_written() -> None:
    assert (
        plain_codec("uuid").decode(b"0000000A-0000-0000-0000-00000000000A", None)
        == "0000000A-0000-0000-0000-00000000000A"
    )


@pytest.mark.parametrize(
    ("name", "payload"),
    [("int", b""), ("int", b"12345"), ("long", b"1234"), ("uuid", b"\xff" * 36), ("uuid", UUID(int=1).hex.encode())],
)
def test_other_bytes_are_undecodable(name: str, payload: bytes) -> None:
    with pytest.raises(Undecodable):
        plain_codec(name).decode(payload, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [("int", 2**31), ("int", True), ("int", "1"), ("long", 2**63), ("long", 1.0), ("uuid", str(UUID(int=1)))],
)
def test_other_values_do_not_fit(name: str, value: Any) -> None:
    with pytest.raises(DoesNotFit):
        plain_codec(name).encode(value)


def test_format_without_a_schema_refuses_one() -> None:
    with pytest.raises(BadSchema):
        plain_codec("int").parse(SchemaText("avro", '"int"'))


@given(st.integers(-(2**63), 2**63 - 1))
def test_number_is_read_back(value: int) -> None:
    codec = plain_codec("long")
    assert codec.decode(codec.encode(value), None) == value
