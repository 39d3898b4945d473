"""How the parts of messages are read.

Attributes of messages are quick, but do not tell whether a field is set. So presence is asked for only where it
matters.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

from kvs_graphql.formats.errors import Undecodable
from kvs_graphql.formats.protobuf.schema import Descriptor, Message

Read: TypeAlias = Callable[[Any], Any]

first, second = itemgetter(0), itemgetter(1)


def of_field(name: str, has_presence: bool, convert: Read | None) -> Read:
    """The value of a field; None where it has presence and is not set."""
    if has_presence:
        return _if_set(name, convert)
    return attrgetter(name) if convert is None else _converted(attrgetter(name), convert)


def _if_set(name: str, convert: Read | None) -> Read:
    value = attrgetter(name)
    if convert is None:
        return lambda message: value(message) if message.HasField(name) else None
    return lambda message: convert(value(message)) if message.HasField(name) else None


def of_entry_value(convert: Read | None) -> Read:
    """The value of a map's entry."""
    return second if convert is None else _converted(second, convert)


def _converted(read: Read, convert: Read) -> Read:
    return lambda source: convert(read(source))


def items_of(convert: Read | None) -> Callable[[Any], Iterable[Any]]:
    """The items of a repeated field."""
    return list if convert is None else lambda container: list(map(convert, container))


def entries(container: Any) -> list[tuple[Any, Any]]:
    """The entries of a map, always in the same order: Protobuf's own order differs from process to process.

    Raises:
        Undecodable: A key is not UTF-8.
    """
    try:
        return sorted(container.items(), key=first)
    except (TypeError, UnicodeDecodeError):
        raise Undecodable("a key of a map is not UTF-8") from None


def of_oneof(name: str) -> Read:
    """The member that is set, by its name, and its value; None if there is none."""

    def read(message: Message) -> tuple[str, Any] | None:
        member = message.WhichOneof(name)
        return None if member is None else (member, getattr(message, member))

    return read


def is_member(name: str) -> Callable[[Any], bool]:
    """Whether what `of_oneof` read is this member."""
    return lambda chosen: chosen[0] == name


def of_wrapped(chosen: Any) -> Any:
    """What a wrapper holds: what `of_oneof` read."""
    return chosen


def known_numbers(enum: Descriptor, unrecognized: Any) -> Read | None:
    """From a number of an enumeration to itself or, where the schema has no name for it, to `unrecognized`.

    None for a closed enumeration, whose fields are never set to such a number.
    """
    if enum.is_closed:
        return None
    known = {value.number: value.number for value in enum.values}
    return lambda number: known.get(number, unrecognized)
