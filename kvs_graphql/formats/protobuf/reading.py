"""How the parts of messages are read.

Attributes of messages are quick, but do not tell whether a field is set. So presence is asked for only where it
matters.
"""

from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

from kvs_graphql.formats.errors import Undecodable
from kvs_graphql.formats.protobuf.schema import Message

Read: TypeAlias = Callable[[Any], Any]

first, second = itemgetter(0), itemgetter(1)


def of_field(name: str, has_presence: bool) -> Read:
    """The value of a field; None where it has presence and is not set."""
    value = attrgetter(name)
    if has_presence:
        return lambda message: value(message) if message.HasField(name) else None
    return value


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
