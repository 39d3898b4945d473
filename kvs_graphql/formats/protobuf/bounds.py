"""How many items a message has, and how deep they are nested."""

from typing import Any

from google.protobuf.message import Message as BaseMessage

from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.protobuf.schema import Message

# Protobuf's library itself refuses messages that are nested deeper.
_LIBRARY_DEPTH_MAX = 100


class Bounds:
    """Looks into a message only where its size leaves a doubt: each item and each level take a byte at least."""

    def __init__(self, limits: FormatLimits) -> None:
        self._limits = limits
        depth_bytes = limits.depth_max if limits.depth_max < _LIBRARY_DEPTH_MAX else limits.items_max
        self.free_bytes = min(limits.items_max, depth_bytes)
        """Payloads of so many bytes keep all bounds."""

    def problem(self, message: Message) -> str | None:
        """What is too many or too deep in a message; None if nothing is."""
        items = 0
        pending: list[tuple[Any, int]] = [(message, 1)]
        while pending:
            one, depth = pending.pop()
            if depth > self._limits.depth_max:
                return f"it is nested deeper than {self._limits.depth_max}"
            for field, value in one.ListFields():
                parts = [value]
                if field.is_repeated:
                    items += len(value)
                    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
                    parts = list(value.values()) if is_map else value
                    if items > self._limits.items_max:
                        return f"it has more than {self._limits.items_max:,} items"
                if field.message_type is not None:
                    pending.extend((part, depth + 1) for part in parts if isinstance(part, BaseMessage))
        return None
