"""The codec of Protobuf: from bytes to messages, and back."""

from typing import Any

import orjson
from google.protobuf.message import DecodeError, EncodeError

from kvs_graphql.formats.codec import Check, SchemaText
from kvs_graphql.formats.errors import BadSchema, DoesNotFit, Undecodable, one_line
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.protobuf.bounds import Bounds
from kvs_graphql.formats.protobuf.encoding import Filler
from kvs_graphql.formats.protobuf.evolution import cannot_read
from kvs_graphql.formats.protobuf.json_text import JsonWriter, checked
from kvs_graphql.formats.protobuf.naming import Naming
from kvs_graphql.formats.protobuf.protoc import compile_schema
from kvs_graphql.formats.protobuf.schema import Message, ProtobufSchema, write_indexes
from kvs_graphql.formats.protobuf.shaping import Shaper
from kvs_graphql.formats.shapes import Shape


def protobuf_codec(
    schema: SchemaText,
    name: str,
    reserved: frozenset[str],
    limits: FormatLimits,
    *,
    message: str = "",
    is_framed: bool = False,
) -> "ProtobufCodec":
    """The codec of one message of a schema.

    Args:
        name: The message's name in GraphQL.
        reserved: Names that the schema's other types must not get.
        message: The message's full name in the schema; its first message if this is empty.
        is_framed: Whether payloads begin with the indexes of their message, as in the wire format of registries.

    Raises:
        BadSchema: The schema cannot be used.
    """
    return ProtobufCodec(schema, name, reserved, limits, message, is_framed)


class ProtobufCodec:
    """Decodes values of one message, and encodes them.

    A value of any version of the schema is decoded by the reader's version, for Protobuf tells fields by their numbers.
    A framed value of another message cannot be decoded, even if that message has the same fields.
    """

    converts_to_json = True

    def __init__(
        self,
        schema: SchemaText,
        name: str,
        reserved: frozenset[str],
        limits: FormatLimits,
        message: str,
        is_framed: bool,
    ) -> None:
        """Compile the schema, and make its shape.

        Raises:
            BadSchema: The schema cannot be used.
        """
        self._limits = limits
        self._message = message
        self._is_framed = is_framed
        self._schema = ProtobufSchema(compile_schema(schema, limits))
        root = self._schema.root(message)
        naming = Naming(self._schema, root, name, reserved, limits)
        self._root_name = root.full_name
        self._class = self._schema.message_class(root)
        self._bounds = Bounds(limits)
        self._has_required = any(field.is_required for one in naming.messages.values() for field in one.fields)
        self._filler = Filler(naming, self._schema.pool, limits.depth_max)
        self._prefix = write_indexes(self._schema.indexes(root)) if is_framed else b""
        json = JsonWriter(self._schema.pool)
        self._to_json = json.value_of(root)
        self.shape: Shape = Shaper(self._schema, naming, json).shape(root)

    def parse(self, schema: SchemaText) -> ProtobufSchema:
        """A writer's schema, of which a framed value names a message.

        Raises:
            BadSchema: It is not a schema of Protobuf, it is too large, or its values would change silently.
        """
        writer = ProtobufSchema(compile_schema(schema, self._limits))
        if (reason := cannot_read(self._schema, writer, self._message)) is not None:
            raise BadSchema(one_line(reason))
        return writer

    def decode(self, payload: bytes, writer: ProtobufSchema | None, check: Check = None) -> Message:
        """A message of the reader's class. The writer matters only to framed payloads.

        Raises:
            Undecodable: The bytes are not such a message, it lacks a required field, or it is too large.
        """
        if self._is_framed:
            # A zero byte stands for the first message of the schema.
            is_first = payload[:1] == b"\0" and writer is not None and writer.first_name == self._root_name
            payload = payload[1:] if is_first else self._unframed(payload, writer)
        try:
            message = self._class.FromString(payload)
        except DecodeError as error:
            raise Undecodable(one_line(error)) from None
        if self._has_required and not message.IsInitialized():
            missing = ", ".join(message.FindInitializationErrors()[:3])
            raise Undecodable(one_line(f"required fields are missing: {missing}"))
        if len(payload) > self._bounds.free_bytes and (problem := self._bounds.problem(message)) is not None:
            raise Undecodable(problem)
        return message

    def encode(self, value: Any) -> bytes:
        """A message of an input's values, with its indexes where payloads have them.

        Raises:
            DoesNotFit: The schema has no room for the value, or it would be too large to be decoded again.
        """
        message = self._class()
        self._filler.fill(message, value)
        try:
            payload: bytes = message.SerializeToString()
            self._class.FromString(payload)
        except (EncodeError, DecodeError) as error:
            raise DoesNotFit(one_line(f"it could not be decoded again: {error}")) from None
        if len(payload) > self._bounds.free_bytes and (problem := self._bounds.problem(message)) is not None:
            raise DoesNotFit(problem)
        return self._prefix + payload

    def as_json(self, decoded: Message, check: Check = None) -> bytes:
        """A message as JSON text.

        Raises:
            Undecodable: A map has keys that are not UTF-8, as proto2 allows.
        """
        if check is None:
            return orjson.dumps(self._to_json(decoded))
        with checked(check):
            return orjson.dumps(self._to_json(decoded))

    def _unframed(self, payload: bytes, writer: ProtobufSchema | None) -> bytes:
        assert writer is not None, "a framed payload has a writer"
        name, start = writer.message_at(payload)
        if name != self._root_name:
            raise Undecodable(one_line(f"it is a {name}, and not a {self._root_name}"))
        return payload[start:]
