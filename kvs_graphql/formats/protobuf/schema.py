"""A compiled schema, made ready to decode with: its messages, and what its comments say of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from kvs_graphql.formats.errors import BadSchema, Undecodable, one_line
from kvs_graphql.formats.protobuf.protoc import Compiled

Message: TypeAlias = Any
Descriptor: TypeAlias = Any
FieldDescriptor: TypeAlias = Any

# The numbers of a file's and a message's parts in their descriptors, of which the places of comments consist.
_FILE_MESSAGES, _FILE_ENUMS = 4, 5
_MESSAGE_FIELDS, _MESSAGE_MESSAGES, _MESSAGE_ENUMS, _MESSAGE_ONEOFS = 2, 3, 4, 8
_ENUM_VALUES = 2

_INDEXES_MAX = 100


class ProtobufSchema:
    """The messages of one schema, and those that it imports."""

    def __init__(self, compiled: Compiled) -> None:
        """Link the files.

        Raises:
            BadSchema: The library refuses what protoc accepted, or there is no message.
        """
        self.pool = DescriptorPool()
        self._file = compiled.main
        self._files = compiled.files.file
        self.optional_fields = frozenset(
            f"{scope}.{field.name}"
            for file in self._files
            for scope, message in _messages(file.package, file.message_type)
            for field in message.field
            if field.proto3_optional
        )
        """The fields whose `optional` Protobuf describes as a oneof."""
        self.verified_files = frozenset(file.name for file in self._files if file.syntax == "proto3")
        """The files whose strings Protobuf itself verifies to be UTF-8."""
        try:
            for file in self._files:
                self.pool.AddSerializedFile(file.SerializeToString())
        except TypeError as error:
            raise BadSchema(one_line(error)) from None
        if not self._file.message_type:
            raise BadSchema("the schema has no message")
        self.first_name = _full_name(self._file.package, self._file.message_type[0].name)
        """The full name of the file's first message."""

    def root(self, message: str = "") -> Descriptor:
        """The message of this name, or the file's first one.

        Raises:
            BadSchema: There is no message of this name.
        """
        if (root := self.find(message or self.first_name)) is None:
            raise BadSchema(f"the schema has no message {one_line(message)}")
        return root

    def find(self, name: str) -> Descriptor | None:
        """The message of a full name, in the file or in those that it imports; None if there is none."""
        try:
            return self.pool.FindMessageTypeByName(name)
        except KeyError:
            return None

    def message_class(self, descriptor: Descriptor) -> Any:
        return GetMessageClass(descriptor)

    def indexes(self, descriptor: Descriptor) -> list[int]:
        """Where a message of this file is: its index in the file, then in each message that encloses it.

        Raises:
            BadSchema: It is of an imported file.
        """
        if descriptor.file.name != self._file.name:
            raise BadSchema(f"the message {descriptor.full_name} is not in the schema, but in what it imports")
        steps = [descriptor.full_name]
        while (descriptor := descriptor.containing_type) is not None:
            steps.append(descriptor.full_name)
        messages: Sequence[DescriptorProto] = self._file.message_type
        indexes = []
        for name in reversed(steps):
            own_name = name.rpartition(".")[2]
            indexes.append([one.name for one in messages].index(own_name))
            messages = messages[indexes[-1]].nested_type
        return indexes

    def message_at(self, payload: bytes) -> tuple[str, int]:
        """The full name of the message that a framed payload is of, and where it begins.

        Raises:
            Undecodable: The payload does not begin with indexes of a message of this schema.
        """
        indexes, start = read_indexes(payload)
        messages: Sequence[DescriptorProto] = self._file.message_type
        name = self._file.package
        for index in indexes:
            if not 0 <= index < len(messages):
                raise Undecodable(f"its schema has no message at the indexes {indexes}")
            name = _full_name(name, messages[index].name)
            messages = messages[index].nested_type
        return name, start

    def comments(self) -> dict[str, str]:
        """What the comments say, by the full names of messages, fields, oneofs, enumerations and their values."""
        found: dict[str, str] = {}
        for file in self._files:
            places = {tuple(one.path): one for one in file.source_code_info.location}
            for name, place in _places(file):
                if (location := places.get(place)) is not None:
                    text = location.leading_comments or location.trailing_comments
                    if lines := "\n".join(line.strip() for line in text.strip().splitlines()):
                        found[name] = lines
        return found


def _full_name(package: str, name: str) -> str:
    return f"{package}.{name}" if package else name


def _messages(scope: str, messages: Iterable[DescriptorProto]) -> Iterator[tuple[str, DescriptorProto]]:
    for message in messages:
        name = _full_name(scope, message.name)
        yield name, message
        yield from _messages(name, message.nested_type)


def _places(file: FileDescriptorProto) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _places_in(file.package, (), file.message_type, file.enum_type, (_FILE_MESSAGES, _FILE_ENUMS))


def _places_in(
    scope: str, place: tuple[int, ...], messages: Iterable[Any], enums: Iterable[Any], numbers: tuple[int, int]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    for index, enum in enumerate(enums):
        name, at = _full_name(scope, enum.name), (*place, numbers[1], index)
        yield name, at
        for number, value in enumerate(enum.value):
            yield f"{name}.{value.name}", (*at, _ENUM_VALUES, number)
    for index, message in enumerate(messages):
        name, at = _full_name(scope, message.name), (*place, numbers[0], index)
        yield name, at
        for number, one in enumerate(message.field):
            yield f"{name}.{one.name}", (*at, _MESSAGE_FIELDS, number)
        for number, one in enumerate(message.oneof_decl):
            yield f"{name}.{one.name}", (*at, _MESSAGE_ONEOFS, number)
        yield from _places_in(name, at, message.nested_type, message.enum_type, (_MESSAGE_MESSAGES, _MESSAGE_ENUMS))


def read_indexes(payload: bytes) -> tuple[list[int], int]:
    """The indexes of a message in its file, and where they end.

    They are zigzag varints, their number first; 0 alone stands for the first message.
    """
    count, position = _varint(payload, 0)
    if count == 0:
        return [0], position
    if not 0 < count <= _INDEXES_MAX:
        raise Undecodable(f"it begins with {count} message indexes")
    indexes = []
    for _ in range(count):
        index, position = _varint(payload, position)
        indexes.append(index)
    return indexes, position


def write_indexes(indexes: Sequence[int]) -> bytes:
    """The indexes of a message in its file, as `read_indexes` reads them."""
    if list(indexes) == [0]:
        return b"\0"
    written = bytearray()
    for number in (len(indexes), *indexes):
        rest = number << 1
        while rest > 0x7F:
            written.append(rest & 0x7F | 0x80)
            rest >>= 7
        written.append(rest)
    return bytes(written)


def _varint(payload: bytes, position: int) -> tuple[int, int]:
    number = 0
    for count, byte in enumerate(payload[position : position + 5]):
        number |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), position + count + 1
    raise Undecodable("it ends within its message indexes, or they are too large")
