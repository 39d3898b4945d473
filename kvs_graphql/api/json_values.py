"""Values as JSON: each parsed once, however often and under however many names it is asked for."""

from functools import lru_cache
from typing import Any

import orjson
from cachetools import LRUCache
from jsonpointer import EndOfList, JsonPointer, JsonPointerException

from kvs_graphql.compat.orjson import compact
from kvs_graphql.errors import BadInput, LimitExceeded, NotJson
from kvs_graphql.records import Record

_POINTERS_CACHED = 128
_POINTER_CACHED_CHARACTERS_MAX = 256
_KEPT_BYTES_MIN = 4_096
_KEPT_BYTES_MAX = 2 * 1_048_576


class JsonText:
    """JSON that is already encoded: the encoder puts it in as it is, however deep it is."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text

    def __len__(self) -> int:
        return len(self.text)


class JsonValues:
    """Parses values; the last one, and large ones of late, are not parsed again."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._last: tuple[Record | None, Any] = (None, None)
        # Held with their records: an identity is only one as long as its object lives.
        self._kept: LRUCache[int, tuple[Record, Any]] = LRUCache(
            _KEPT_BYTES_MAX, getsizeof=lambda kept: len(kept[0].value or b"")
        )

    def part(self, record: Record, pointer: str) -> JsonText | None:
        """The part of a record's value at a JSON Pointer (RFC 6901); None where nothing is.

        Raises:
            NotJson: The value is not JSON, or too deep to be sent as JSON.
            LimitExceeded: It is too large to be parsed.
            BadInput: The pointer is none.
        """
        value = self._parsed(record)
        try:
            found = value if not pointer else _pointer(pointer).resolve(value, None)
        except JsonPointerException as error:
            if not pointer.startswith("/") or "~" in pointer:
                raise BadInput(f"Not a JSON Pointer: {error}") from None
            return None
        if found is None or isinstance(found, EndOfList):
            return None
        try:
            return JsonText(compact(orjson.dumps(found)))
        except orjson.JSONEncodeError:
            raise NotJson("The value is nested too deep to be sent as JSON: ask for it as text.") from None

    def _parsed(self, record: Record) -> Any:
        last, parsed = self._last
        if last is record:
            return parsed
        if (kept := self._kept.get(id(record))) is not None:
            return kept[1]
        parsed = self._parse(record.value or b"")
        self._last = record, parsed
        if _KEPT_BYTES_MIN <= len(record.value or b"") <= _KEPT_BYTES_MAX:
            self._kept[id(record)] = record, parsed
        return parsed

    def _parse(self, value: bytes) -> Any:
        if len(value) > (limit := self._bytes_max):
            message = (
                f"The value has {len(value)} bytes; the limit of KVS_JSON_BYTES_MAX is {limit}: ask for it as text."
            )
            raise LimitExceeded(message, limit=limit, setting="KVS_JSON_BYTES_MAX")
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            raise NotJson("The value is not JSON.") from None


def _pointer(text: str) -> JsonPointer:
    return _short_pointer(text) if len(text) <= _POINTER_CACHED_CHARACTERS_MAX else JsonPointer(text)


_short_pointer = lru_cache(_POINTERS_CACHED)(JsonPointer)
