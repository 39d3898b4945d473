"""Which parts of a Protobuf schema a value can reach, and their names in GraphQL.

A union of a oneof is named like the oneof, with `OneOf` at its end. A member that is no message of the schema, or whose
message is a member twice, is wrapped in a type that is named like the member, with `Value` at its end.
"""

from collections.abc import Iterator

from google.protobuf.message import Message as BaseMessage

from kvs_graphql.formats.errors import BadSchema
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.names import enum_value_names, field_names, type_name, unique_type_names
from kvs_graphql.formats.protobuf.schema import Descriptor, FieldDescriptor, ProtobufSchema
from kvs_graphql.formats.protobuf.well_known import ANY, WELL_KNOWN

UNRECOGNIZED = "UNRECOGNIZED"
"""The value of an open enumeration for all numbers that the schema has no name for, as Java has it."""


class Naming:
    """The messages and enumerations that a value has, each with its names."""

    def __init__(
        self, schema: ProtobufSchema, root: Descriptor, name: str, reserved: frozenset[str], limits: FormatLimits
    ) -> None:
        """Walk through the schema from its root.

        Raises:
            BadSchema: It has too many types or fields, or a field's name cannot be read.
        """
        self.messages: dict[str, Descriptor] = {}
        self.enums: dict[str, Descriptor] = {}
        self.fields: dict[str, dict[str, str]] = {}
        self.enum_values: dict[str, dict[str, str]] = {}
        self._optional = schema.optional_fields
        self._root = root
        self._limits = limits
        self._walk()
        self.types = {root.full_name: name} | unique_type_names(self._wanted(name), reserved | {name})
        self._require_limits()

    def oneof_of(self, field: FieldDescriptor) -> Descriptor | None:
        """The oneof that a field is a member of, apart from those that `optional` stands for."""
        return None if field.full_name in self._optional else field.containing_oneof

    def needs_wrapper(self, member: FieldDescriptor) -> bool:
        """Whether a member of a oneof is no message with fields, or cannot be told from another one by its type."""
        if not is_struct(member):
            return True
        members = [one.message_type for one in member.containing_oneof.fields if one.message_type is not None]
        return members.count(member.message_type) > 1

    def oneof(self, oneof: Descriptor) -> str:
        return self.types[f"oneof {oneof.full_name}"]

    def wrapper(self, member: FieldDescriptor) -> str:
        return self.types[f"value {member.full_name}"]

    def unrecognized(self, enum: Descriptor) -> str:
        """The name for numbers that an open enumeration has no name for."""
        name = UNRECOGNIZED
        while name in self.enum_values[enum.full_name].values():
            name += "_"
        return name

    def parts(self, message: Descriptor) -> Iterator[Descriptor]:
        """The fields of a message, with each oneof where its first member is."""
        seen = set()
        for field in message.fields:
            if (oneof := self.oneof_of(field)) is None:
                yield field
            elif oneof.full_name not in seen:
                seen.add(oneof.full_name)
                yield oneof

    def _walk(self) -> None:
        pending = [self._root]
        while pending:
            message = pending.pop()
            if message.full_name in self.messages:
                continue
            self.messages[message.full_name] = message
            oneofs = {oneof.name for field in message.fields if (oneof := self.oneof_of(field)) is not None}
            self.fields[message.full_name] = field_names([*(one.name for one in message.fields), *sorted(oneofs)])
            for field in message.fields:
                if hasattr(BaseMessage, field.name):
                    raise BadSchema(f"a field cannot have the name {field.name}, as {field.full_name} has")
                if field.enum_type is not None:
                    self._add_enum(field.enum_type)
                elif is_struct(field):
                    pending.append(field.message_type)
            if len(self.messages) > self._limits.schema_types_max:
                break

    def _add_enum(self, enum: Descriptor) -> None:
        if enum.full_name not in self.enums:
            self.enums[enum.full_name] = enum
            self.enum_values[enum.full_name] = enum_value_names(value.name for value in enum.values)

    def _wanted(self, root_name: str) -> dict[str, str]:
        root_scope = self._root.full_name.split(".")[:-1]

        def named(full_name: str, suffix: str = "") -> str:
            *scope, own_name = full_name.split(".")
            return type_name(root_name, root_scope, scope, own_name) + suffix

        wanted = {name: named(name) for name in (*self.messages, *self.enums) if name != self._root.full_name}
        for message in self.messages.values():
            for field in message.fields:
                if (oneof := self.oneof_of(field)) is not None:
                    wanted[f"oneof {oneof.full_name}"] = named(oneof.full_name, "OneOf")
                    if self.needs_wrapper(field):
                        wanted[f"value {field.full_name}"] = named(field.full_name, "Value")
        return wanted

    def _require_limits(self) -> None:
        if len(self.types) > self._limits.schema_types_max:
            raise BadSchema(f"the schema has more than {self._limits.schema_types_max:,} types")
        fields = sum(map(len, self.fields.values())) + sum(map(len, self.enum_values.values()))
        if fields > self._limits.schema_fields_max:
            raise BadSchema(f"the schema has more than {self._limits.schema_fields_max:,} fields and values")


def is_struct(field: FieldDescriptor) -> bool:
    """Whether the values of a field are messages with fields of their own, and not scalars in GraphQL."""
    message = field.message_type
    return message is not None and has_fields(message)


def has_fields(message: Descriptor) -> bool:
    """Whether a message has fields of its own in GraphQL, and is not a scalar."""
    return message.full_name not in WELL_KNOWN and message.full_name != ANY and len(message.fields) > 0
