"""Formats without a schema that are more than bytes: what Java's own serializers write.

Strings, bytes and JSON need no codec: they are shown from a record's bytes as they are.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Any
from uuid import UUID

import orjson

from kvs_graphql.formats.codec import Check, Codec, SchemaText
from kvs_graphql.formats.errors import BadSchema, DoesNotFit, Undecodable
from kvs_graphql.formats.shapes import Scalar, ScalarKind

_UUID = re.compile(rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def plain_codec(name: str) -> Codec:
    """The codec of `int`, `long` or `uuid`."""
    return _CODECS[name]


@dataclass(frozen=True, slots=True)
class _PlainCodec:
    """A codec that needs no schema to decode with: `decode` is given None. See `Codec`."""

    shape: Scalar
    decode_payload: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]

    @property
    def converts_to_json(self) -> bool:
        return False

    def parse(self, schema: SchemaText) -> Any:
        raise BadSchema(f"values of this format have no schema, and least of all one of {schema.format}")

    def decode(self, payload: bytes, _writer: None, _check: Check = None) -> Any:
        return self.decode_payload(payload)

    def as_json(self, decoded: Any, _check: Check = None) -> bytes:
        return orjson.dumps(decoded)


def _integer(kind: ScalarKind, form: Struct, show: Callable[[int], str] | None = None) -> _PlainCodec:
    """A number as Java's IntegerSerializer and LongSerializer write it: all its bytes, the most significant first."""
    limit = 2 ** (8 * form.size - 1)

    def decode(payload: bytes) -> int:
        if len(payload) != form.size:
            raise Undecodable(f"{len(payload):,} bytes are not a number of {form.size}")
        number: int = form.unpack(payload)[0]
        return number

    def encode(value: Any) -> bytes:
        if type(value) is not int or not -limit <= value < limit:
            raise DoesNotFit(f"must be a whole number of at most {8 * form.size} bits")
        return form.pack(value)

    return _PlainCodec(Scalar(kind, show), decode, encode)


def _decode_uuid(payload: bytes) -> str:
    if not _UUID.fullmatch(payload):
        raise Undecodable("the bytes are not the text of a UUID")
    return payload.decode()


def _encode_uuid(value: Any) -> bytes:
    """As Java's UUIDSerializer writes it: 36 characters, in lower case."""
    if not isinstance(value, UUID):
        raise DoesNotFit("must be a UUID")
    return str(value).encode()


_CODECS: dict[str, Codec] = {
    "int": _integer(ScalarKind.INT, Struct(">i")),
    "long": _integer(ScalarKind.INT64, Struct(">q"), show=str),
    "uuid": _PlainCodec(Scalar(ScalarKind.UUID), _decode_uuid, _encode_uuid),
}
