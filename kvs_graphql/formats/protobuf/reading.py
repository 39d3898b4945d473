"""How the parts of messages are read.

Attributes of messages are quick, but do not tell whether a field is set. So presence is asked for only where it
matters.
"""

from collections.abc import Callable, Collection, Iterator
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


class Entries(Collection[tuple[Any, Any]]):
    """The entries of a map, always in the same order: Protobuf's own order differs from process to process.

    Each value becomes an object of Python only when it is its turn.
    """

    def __init__(self, container: Any) -> None:
        """Sort the keys. Raises: Undecodable: One is not UTF-8."""
        self._container = container
        try:
            self._keys = sorted(container)
        except (TypeError, UnicodeDecodeError):
            raise Undecodable("a key of a map is not UTF-8") from None

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        container = self._container
        return ((key, container[key]) for key in self._keys)

    def __contains__(self, entry: object) -> bool:
        return any(entry == one for one in self)


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
