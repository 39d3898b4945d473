"""The codec of an Avro schema."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import orjson
from fastavro import schemaless_reader, schemaless_writer

from kvs_graphql.formats.avro.bounds import bounds_of
from kvs_graphql.formats.avro.defaults import Defaults
from kvs_graphql.formats.avro.encoding import Maker, Room
from kvs_graphql.formats.avro.misfits import Misfit
from kvs_graphql.formats.avro.naming import names_of
from kvs_graphql.formats.avro.parsing import parse_schema
from kvs_graphql.formats.avro.resolution import Conversion, Resolver, Unreadable
from kvs_graphql.formats.avro.shape import Shaper
from kvs_graphql.formats.avro.text import Converter
from kvs_graphql.formats.avro.types import NO_DEFAULT, AvroType, Record
from kvs_graphql.formats.avro.walking import Walk
from kvs_graphql.formats.avro.windows import Runs, Windows
from kvs_graphql.formats.avro.wire import Wire, wire_of
from kvs_graphql.formats.codec import Check, SchemaText
from kvs_graphql.formats.errors import BadSchema, DoesNotFit, Undecodable, one_line
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.shapes import Struct

_PARTS_AT_ONCE_MAX = 8_192

BROKEN = (EOFError, LookupError, ValueError, OverflowError, struct.error)
"""What the library raises for bytes that are not what the schema says."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A schema's type with all that is known about its values."""

    root: AvroType
    wire: Wire
    walk: Walk

    def with_defaults(self, defaults: Mapping[Record, int], limits: FormatLimits) -> "Measured":
        """The same, where its records get so many fields with defaults when they are read."""
        return replace(self, walk=Walk.of(self.root, bounds_of(self.root, limits, defaults), limits))


@dataclass(frozen=True, slots=True)
class Writer:
    """The schema that a value was written with, made ready for one reader."""

    schema: Any
    options: dict[str, Any]
    walk: Walk
    runs: Runs
    convert: Conversion
    is_whole: bool = True
    """Whether nothing may follow what is decoded."""
    at_once_bytes_max: int = 0
    """A value with at most so many bytes is decoded at once, whatever it is."""

    @staticmethod
    def of(written: Measured, convert: Conversion, *, is_whole: bool = True) -> "Writer":
        """A measured schema, with the conversion of its values."""
        wire, walk = written.wire, written.walk
        at_once_bytes_max = int(_PARTS_AT_ONCE_MAX / walk.bounds.items_per_byte_max(walk.root))
        return Writer(wire.schema, wire.options, walk, Runs(wire), convert, is_whole, at_once_bytes_max)


class AvroCodec:
    """Decodes values into the shape of one schema, and encodes them by it. See `Codec`."""

    def __init__(self, root: AvroType, name: str, reserved: frozenset[str], limits: FormatLimits) -> None:
        """Read values of this type, whose name in GraphQL is given."""
        self.limits = limits
        self._reader = reader = measured(root, limits)
        self._defaults = Defaults(reader.wire, limits)
        try:
            names = names_of(root, name, reserved)
            shaper = Shaper(reader.wire, names, limits, self._has_default)
            self._shape = shaper.root(root, name)
            self._make = Maker(reader.wire, names, limits).root(root)
            self._convert = Converter(reader.wire, limits).root(root)
        except RecursionError as error:
            raise BadSchema("the types of the schema lie too deep in each other") from error

    @property
    def shape(self) -> Struct:
        """The shape of decoded values."""
        return self._shape

    @property
    def converts_to_json(self) -> bool:
        """Whether some parts are not the same in JSON."""
        return self._convert is not None

    def parse(self, schema: SchemaText) -> Writer:
        """A writer's schema, made ready to decode with."""
        written = measured(parse_schema(schema, self.limits), self.limits)
        convert, defaults = self.resolved(written.root, written.wire)
        return Writer.of(
            written.with_defaults(defaults, self.limits), _rewrapped(convert, self._reader.wire, written.wire)
        )

    def decode(self, payload: bytes, writer: Writer, check: Check = None) -> Any:
        """A value of `shape`, from bytes after the framing."""
        if len(payload) > writer.walk.unwalked_bytes_max:
            writer.walk.check(payload, check)
        stream = BytesIO(payload)
        try:
            if check is None or len(payload) <= writer.at_once_bytes_max:
                decoded = schemaless_reader(stream, writer.schema, None, **writer.options)
            else:
                decoded = Windows(stream, writer.runs, check, BROKEN).root(writer.walk.root)
            if writer.convert:
                decoded = writer.convert(decoded)
        except BROKEN as error:
            raise Undecodable(why_broken(error)) from error
        if writer.is_whole and stream.tell() != len(payload):
            raise Undecodable(f"{len(payload) - stream.tell():,} bytes are left after the value")
        return decoded

    def encode(self, value: Any) -> bytes:
        """The bytes of a value as GraphQL's input types give it."""
        stream = BytesIO()
        try:
            schemaless_writer(stream, self._reader.wire.schema, self._make(value, Room(self.limits), 0))
        except Misfit as misfit:
            raise DoesNotFit(str(misfit)) from misfit
        return stream.getvalue()

    def as_json(self, decoded: Any, check: Check = None) -> bytes:
        """A decoded value as JSON text."""
        return orjson.dumps(self._convert(decoded) if self._convert else decoded)

    def resolved(self, written: AvroType, wire: Wire) -> tuple[Conversion, Mapping[Record, int]]:
        """How values of a writer's type are read, and how many fields with defaults each of its records gets.

        Raises:
            BadSchema: Not all of them can be.
        """
        try:
            resolver = Resolver(self._reader.wire, wire, self._defaults)
            return resolver.resolve(self._reader.root, written), resolver.defaults
        except Unreadable as error:
            raise BadSchema(f"values of this schema cannot be read: {error}") from error
        except RecursionError as error:
            raise BadSchema("the types of the schema lie too deep in each other") from error

    def _has_default(self, avro_type: AvroType, default: Any) -> bool:
        return self._defaults.of(avro_type, default) is not NO_DEFAULT


def avro_codec(schema: SchemaText, name: str, reserved: frozenset[str], limits: FormatLimits) -> AvroCodec:
    """The codec of a schema whose root has that name in GraphQL.

    Raises:
        BadSchema: It is not a schema of Avro, or one that is too large.
    """
    return AvroCodec(parse_schema(schema, limits), name, reserved, limits)


def measured(root: AvroType, limits: FormatLimits) -> Measured:
    """What is known about the values of a type.

    Raises:
        BadSchema: They may be larger than the limits allow.
    """
    return Measured(root, wire_of(root), Walk.of(root, bounds_of(root, limits, {}), limits))


def why_broken(error: Exception) -> str:
    """What an error of the library says about the bytes."""
    if isinstance(error, EOFError):
        return "the value ends too early"
    if isinstance(error, LookupError):
        return "the value ends too early, or has a branch or symbol that its schema does not have"
    return one_line(error)


def _rewrapped(convert: Conversion, reader: Wire, writer: Wire) -> Conversion:
    """The conversion of whole values, which have a record around them if they are none."""
    if not convert and reader.wraps_root == writer.wraps_root:
        return None
    inside: Callable[[Any], Any] = convert or (lambda value: value)
    match writer.wraps_root, reader.wraps_root:
        case True, True:
            return lambda decoded: {"value": inside(decoded["value"])}
        case True, False:
            return lambda decoded: inside(decoded["value"])
        case False, True:
            return lambda decoded: {"value": inside(decoded)}
        case _:
            return convert
