"""Protobuf's wire format, written from its specification and not by its library."""

import struct
from typing import Any

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_PACKED = {"fixed32": "<I", "sfixed32": "<i", "float": "<f", "fixed64": "<Q", "sfixed64": "<q", "double": "<d"}


def varint(number: int) -> bytes:
    """A number from 0 to 2**64 - 1; negative ones as their complement."""
    number &= (1 << 64) - 1
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def scalar(kind: str, value: Any) -> tuple[int, bytes]:
    """The wire type and the bytes of a scalar; an enumeration's value is its number."""
    match kind:
        case "string":
            return _BYTES, length_and(value.encode())
        case "bytes":
            return _BYTES, length_and(value)
        case "sint32" | "sint64":
            return _VARINT, varint((value << 1) ^ (value >> 63))
        case "fixed64" | "sfixed64" | "double":
            return _FIXED64, struct.pack(_PACKED[kind], value)
        case "fixed32" | "sfixed32" | "float":
            return _FIXED32, struct.pack(_PACKED[kind], value)
        case _:
            return _VARINT, varint(int(value))


def length_and(value: bytes) -> bytes:
    """Bytes with their number before them."""
    return varint(len(value)) + value


def field(number: int, wire_type: int, value: bytes) -> bytes:
    """A field with its tag."""
    return varint(number << 3 | wire_type) + value


def scalar_field(number: int, kind: str, value: Any) -> bytes:
    """A scalar with its tag."""
    return field(number, *scalar(kind, value))


def message_field(number: int, value: bytes) -> bytes:
    """A message with its tag."""
    return field(number, _BYTES, length_and(value))


def packed_field(number: int, kind: str, values: list[Any]) -> bytes:
    """Scalars of a repeated field, all after one tag."""
    return message_field(number, b"".join(scalar(kind, value)[1] for value in values))
