"""Messages as JSON, by Protobuf's own mapping with these exceptions.

Fields keep the names that the schema gives them, and integers of 64 bits are numbers. Fields without presence are
written even if they are zero or empty, as `data` shows them. A timestamp or duration outside of its range is written as
its parts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as Types
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from kvs_graphql.formats.codec import Check
from kvs_graphql.formats.errors import Undecodable
from kvs_graphql.formats.protobuf.reading import Entries
from kvs_graphql.formats.protobuf.scalars import SCALAR_TYPES, base64_text
from kvs_graphql.formats.protobuf.schema import Descriptor, FieldDescriptor, Message
from kvs_graphql.formats.protobuf.well_known import ANY, WELL_KNOWN

_ToJson = Callable[[Any], Any]

_check: ContextVar[Check] = ContextVar("check", default=None)
"""Writers are shared by threads, and each of these has a context of its own."""


@contextmanager
def checked(check: Check) -> Iterator[None]:
    """Have something called before each object that is made meanwhile; what it raises ends that."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


class JsonWriter:
    """Makes JSON's values of messages. What each message has is looked up once."""

    def __init__(self, pool: DescriptorPool, expands_any: bool = True) -> None:
        """Prepare for the messages of a pool.

        Args:
            pool: Where the messages in an `Any` are found.
            expands_any: Whether they are decoded. Those within another `Any` are not: they would have no bounds.
        """
        self._pool = pool
        self._inner = JsonWriter(pool, expands_any=False) if expands_any else None
        self._parts: dict[str, list[_Part]] = {}

    def value_of(self, message: Descriptor) -> _ToJson:
        """What makes JSON's value of a message of this kind."""
        if message.full_name == ANY:
            return self._any
        if (well_known := WELL_KNOWN.get(message.full_name)) is None:
            return self._object
        to_json = well_known.to_json

        def value(one: Message) -> Any:
            try:
                return to_json(one)
            except Undecodable:
                return self._object(one)

        return value

    def _object(self, message: Message) -> dict[str, Any]:
        if (check := _check.get()) is not None:
            check()
        descriptor = message.DESCRIPTOR
        if (parts := self._parts.get(descriptor.full_name)) is None:
            parts = self._parts[descriptor.full_name] = [_Part(field, self) for field in descriptor.fields]
        result = {}
        for part in parts:
            if not part.has_presence or message.HasField(part.name):
                value = getattr(message, part.name)
                result[part.name] = value if part.to_json is None else part.to_json(value)
        return result

    def _any(self, message: Message) -> dict[str, Any]:
        url = message.type_url
        found: dict[str, Any] = {"@type": url}
        if self._inner is None:
            return found | {"value": base64_text(message.value)}
        try:
            descriptor = self._pool.FindMessageTypeByName(url.rpartition("/")[2])
            held = GetMessageClass(descriptor).FromString(message.value)
        except (KeyError, DecodeError):
            return found | {"value": base64_text(message.value)}
        value = self._inner.value_of(descriptor)(held)
        return found | ({"value": value} if descriptor.full_name in {ANY, *WELL_KNOWN} else value)


class _Part:
    """A field, and what makes JSON of its value."""

    __slots__ = ("has_presence", "name", "to_json")

    def __init__(self, field: FieldDescriptor, writer: JsonWriter) -> None:
        self.name = field.name
        self.has_presence = field.has_presence
        one = _one(field, writer)
        self.to_json = _many(field, writer, one) if field.is_repeated else one


def _many(field: FieldDescriptor, writer: JsonWriter, one: _ToJson | None) -> _ToJson:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        to_json = _one(value, writer) or _same
        name = _bool_key if key.type == Types.TYPE_BOOL else _key
        return lambda container: {name(key): to_json(value) for key, value in Entries(container)}
    return list if one is None else lambda container: list(map(one, container))


def _one(field: FieldDescriptor, writer: JsonWriter) -> _ToJson | None:
    if field.message_type is not None:
        return writer.value_of(field.message_type)
    if field.enum_type is not None:
        names = {value.number: value.name for value in reversed(list(field.enum_type.values))}
        return lambda number: names.get(number, number)
    return _text if field.type == Types.TYPE_STRING else SCALAR_TYPES[field.type].to_json


def _same(value: Any) -> Any:
    return value


def _text(value: str | bytes) -> str:
    """A string. Those that are not UTF-8, which older schemas allow, show other bytes as `\\xNN`."""
    return value if isinstance(value, str) else value.decode(errors="backslashreplace")


def _key(key: Any) -> str:
    return _text(key) if isinstance(key, bytes) else str(key)


def _bool_key(key: bool) -> str:
    return "true" if key else "false"
