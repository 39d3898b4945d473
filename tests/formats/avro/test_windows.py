"""Large values are decoded in pieces: no call of the library reads more than a window, and others come between."""

from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_reader

from kvs_graphql.formats.avro import walking, windows
from kvs_graphql.formats.errors import Undecodable
from kvs_graphql.formats.limits import FormatLimits
from tests.formats.avro.schemas import codec, record, text

BYTES = 60_000


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


SMALL = record(("a", "int"), ("b", "string"), name="Small")
NODE = record(("left", ["null", "Node"]), ("right", ["null", "Node"]), name="Node")
CHAIN = record(("next", ["null", "Chain"]), ("numbers", array("int")), name="Chain")
LARGE: dict[str, tuple[Any, bytes]] = {
    "integers": (array("int"), b"\2"),
    "texts": (array("string"), b"\4ab"),
    "lists": (array(array("int")), b"\0"),
    "records": (array(SMALL), b"\2\2a"),
    "unions": (array(["null", SMALL, "int", "string"]), b"\4\2"),
    "maps": (array({"type": "map", "values": "int"}), b"\2\2a\2\0"),
    "trees": (array(NODE), b"\2" * 20 + b"\0" * 22),
    "lists in what is recursive": (array(CHAIN), b"\0\xe0\x5d" + b"\2" * 6_000 + b"\0"),
}


def number(value: int) -> bytes:
    """A positive number, as Avro has it."""
    value *= 2
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def blocks(item: bytes) -> bytes:
    """A list of so many equal items that it has about `BYTES`."""
    return number(BYTES // len(item)) + item * (BYTES // len(item)) + b"\0"


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("what", LARGE)
def test_no_piece_of_a_large_value_is_large(monkeypatch: pytest.MonkeyPatch, what: str, nested: bool) -> None:
    schema, item = LARGE[what]
    payload = blocks(item)
    if nested:
        schema, payload = array(record(("inner", schema), name="Outer")), b"\2" + payload + b"\0"
    orders = codec(schema)
    writer = orders.parse(text(schema))
    expected = orders.decode(payload, writer)
    read, check_walk = schemaless_reader, walking._Walker.number
    of_piece = [0]

    def counted_read(stream: BytesIO, *arguments: Any, **options: Any) -> Any:
        begin = stream.tell()
        try:
            return read(stream, *arguments, **options)
        finally:
            of_piece[-1] += stream.tell() - begin

    def counted_number(walker: Any) -> int:
        of_piece[-1] += 1
        return check_walk(walker)

    monkeypatch.setattr(windows, "schemaless_reader", counted_read)
    monkeypatch.setattr(walking._Walker, "number", counted_number)
    assert orders.decode(payload, writer, lambda: of_piece.append(0)) == expected
    assert max(of_piece) <= 1.1 * windows.WINDOW_BYTES
    # Not a piece for each byte.
    assert BYTES / windows.WINDOW_BYTES <= len(of_piece) < BYTES


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("string", "é" * BYTES),
        ("bytes", bytes(BYTES)),
        (["null", "string"], "x" * BYTES),
        ({"type": "map", "values": "string"}, {"x" * BYTES: "y" * BYTES, "": ""}),
    ],
)
def test_part_that_is_longer_than_a_window_is_decoded(schema: Any, value: Any) -> None:
    orders = codec(schema)
    writer = orders.parse(text(schema))
    payload = orders.encode(
        {"value": [{"key": k, "value": v} for k, v in value.items()] if isinstance(value, dict) else value}
    )
    assert orders.decode(payload, writer, lambda: None) == orders.decode(payload, writer) == {"value": value}
    with pytest.raises(Undecodable, match="too early"):
        orders.decode(payload[:-1], writer, lambda: None)


@pytest.mark.parametrize(("nulls", "pieces_min"), [(0, 0), (9, 10_000 // 32)])
def test_value_of_few_bytes_is_decoded_in_pieces_where_they_can_be_many_parts(nulls: int, pieces_min: int) -> None:
    schema = array(record(("a", "int"), *((f"n{number}", "null") for number in range(nulls)), name="Item"))
    orders = codec(schema)
    pieces = list[None]()
    items = orders.decode(
        number(8_000) + b"\2" * 8_000 + b"\0", orders.parse(text(schema)), lambda: pieces.append(None)
    )
    assert len(items["value"]) == 8_000
    assert pieces_min * 0.8 <= len(pieces) <= 2 * pieces_min


@pytest.mark.parametrize("added", [0, 20])
def test_fields_with_defaults_count_as_items(added: int) -> None:
    """Else each byte of a value could become a record of ten thousand fields."""
    fields = [{"name": f"f{n}", "type": "int", "default": n} for n in range(added)]
    item = {"type": "record", "name": "Item", "fields": [{"name": "a", "type": "int"}]}
    reader = array(item | {"fields": [*item["fields"], *fields]})
    orders = codec(reader, limits=FormatLimits(items_max=100))
    writer = orders.parse(text(array(item)))
    most = 50 if added else 100
    assert len(orders.decode(number(most) + b"\2" * most + b"\0", writer)["value"]) == most
    with pytest.raises(Undecodable, match="more than 100 items"):
        orders.decode(number(most + 1) + b"\2" * (most + 1) + b"\0", writer)
