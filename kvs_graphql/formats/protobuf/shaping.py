"""Makes the shape of a message."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor as Types

from kvs_graphql.formats.protobuf import reading
from kvs_graphql.formats.protobuf.json_text import JsonWriter
from kvs_graphql.formats.protobuf.naming import Naming, has_fields
from kvs_graphql.formats.protobuf.scalars import SCALAR_TYPES, UNVERIFIED_STRING
from kvs_graphql.formats.protobuf.schema import Descriptor, FieldDescriptor, Message, ProtobufSchema
from kvs_graphql.formats.protobuf.well_known import WELL_KNOWN
from kvs_graphql.formats.shapes import (
    Choice,
    Enumeration,
    EnumValue,
    Field,
    Many,
    Member,
    Scalar,
    ScalarKind,
    Shape,
    Struct,
)

_SHOWN_AT_ONCE_BYTES_MAX = 8_192
_ANY_AT_ONCE_BYTES_MAX = 2_048
_DEPRECATED = "Deprecated in the schema."


class Shaper:
    """Makes the shapes of all messages that a root has, each once."""

    def __init__(self, schema: ProtobufSchema, naming: Naming, json: JsonWriter) -> None:
        self._naming = naming
        self._json = json
        self._verified_files = schema.verified_files
        self._comments = schema.comments()
        self._structs = {
            full_name: Struct(naming.types[full_name], description=self._comment(message))
            for full_name, message in naming.messages.items()
            if has_fields(message)
        }
        self._enums = {full_name: self._enumeration(enum) for full_name, enum in naming.enums.items()}
        for full_name, struct in self._structs.items():
            message = naming.messages[full_name]
            if message.GetOptions().map_entry:
                struct.fields.extend(self._entry_fields(message))
            else:
                struct.fields.extend(map(self._part, naming.parts(message)))

    def shape(self, message: Descriptor) -> Shape:
        """The shape of a message."""
        name = message.full_name
        if name in self._structs:
            return self._structs[name]
        if name in WELL_KNOWN:
            kind = WELL_KNOWN[name].kind
            return Scalar(kind, WELL_KNOWN[name].show, _is_long if kind is ScalarKind.JSON else None)
        return Scalar(ScalarKind.JSON, self._json.value_of(message), _is_long_any)

    def _part(self, part: Any) -> Field:
        """A field, or the field for a oneof."""
        return self._field(part) if isinstance(part, Types) else self._oneof(part)

    def _field(self, field: FieldDescriptor) -> Field:
        is_map = _is_map(field)
        shape = self._value_shape(field)
        has_presence = field.has_presence and not field.has_default_value and not field.is_required
        if field.is_repeated:
            # Of a list of messages, each becomes an object of Python only when it is its turn.
            items = reading.Entries if is_map else list if field.message_type is None else None
            shape = Many(shape, item_nullable=not is_map and _is_json(shape), items=items, is_map=is_map)
        return Field(
            self._naming.fields[field.containing_type.full_name][field.name],
            field.name,
            shape,
            nullable=has_presence,
            read=reading.of_field(field.name, has_presence),
            description=self._comment(field),
            deprecated=_DEPRECATED if field.GetOptions().deprecated else None,
            optional=not has_presence and not field.is_required,
        )

    def _entry_fields(self, entry: Descriptor) -> list[Field]:
        key, value = (entry.fields_by_name[name] for name in ("key", "value"))
        shape = self._value_shape(value)
        return [
            Field("key", "key", self._value_shape(key), nullable=False, read=reading.first),
            Field("value", "value", shape, nullable=_is_json(shape), read=reading.second),
        ]

    def _oneof(self, oneof: Descriptor) -> Field:
        message = oneof.containing_type
        members = tuple(map(self._member, oneof.fields))
        choice = Choice(self._naming.oneof(oneof), members, self._comment(oneof))
        name = self._naming.fields[message.full_name][oneof.name]
        return Field(name, oneof.name, choice, True, reading.of_oneof(oneof.name), choice.description)

    def _member(self, field: FieldDescriptor) -> Member:
        name = self._naming.fields[field.containing_type.full_name][field.name]
        matches = reading.is_member(field.name)
        if not self._naming.needs_wrapper(field):
            return Member(name, self._structs[field.message_type.full_name], matches, reading.second)
        shape = self._value_shape(field)
        wrapped = Field("value", field.name, shape, nullable=_is_json(shape), read=reading.second)
        struct = Struct(self._naming.wrapper(field), [wrapped], self._comment(field))
        return Member(name, struct, matches, reading.of_wrapped, is_wrapper=True)

    def _value_shape(self, field: FieldDescriptor) -> Shape:
        """The shape of one value of a field."""
        if field.message_type is not None:
            return self.shape(field.message_type)
        if field.enum_type is not None:
            return self._enums[field.enum_type.full_name]
        scalar = SCALAR_TYPES[field.type]
        if field.type == Types.TYPE_STRING and field.file.name not in self._verified_files:
            scalar = UNVERIFIED_STRING
        return Scalar(scalar.kind, scalar.show)

    def _enumeration(self, enum: Descriptor) -> Enumeration:
        """Of several names for one number, the first one is shown."""
        names = self._naming.enum_values[enum.full_name]
        first = {value.number: value for value in reversed(list(enum.values))}
        values = [
            EnumValue(names[value.name], value.number, self._comment(value, f"{enum.full_name}.{value.name}"))
            for value in enum.values
            if first[value.number] is value or first[value.number].name == value.name
        ]
        other = "" if enum.is_closed else self._naming.unrecognized(enum)
        if other:
            values.append(EnumValue(other, None, "A number that the schema has no name for; `json` shows it."))
        return Enumeration(self._naming.types[enum.full_name], tuple(values), self._comment(enum), other)

    def _comment(self, part: Any, name: str = "") -> str:
        return self._comments.get(name or part.full_name, "")


def _is_long(message: Message) -> bool:
    """Whether a message may hold thousands of values: each takes two bytes at least."""
    return bool(message.ByteSize() > _SHOWN_AT_ONCE_BYTES_MAX)


def _is_long_any(message: Message) -> bool:
    """Whether a message may hold a thousand objects, each of many fields that it has no bytes for."""
    return bool(message.ByteSize() > _ANY_AT_ONCE_BYTES_MAX)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _is_json(shape: Shape) -> bool:
    return isinstance(shape, Scalar) and shape.kind is ScalarKind.JSON
