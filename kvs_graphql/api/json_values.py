"""Values as JSON: each parsed once, however often and under however many names it is asked for."""

from collections.abc import Callable, Generator, Sequence
from functools import lru_cache
from typing import Any

from cachetools import LRUCache
from jsonpointer import JsonPointer, JsonPointerException

from kvs_graphql.errors import BadInput, LimitExceeded, NotJson
from kvs_graphql.exact_json import ExactJson, LargeJson, NotJsonText, TooDeep, parse
from kvs_graphql.records import Record
from kvs_graphql.turns import InTurns

_POINTERS_CACHED = 128
_POINTER_CHARACTERS_MAX = 1_024
"""A longer pointer would take more than a tenth of a millisecond, under each of many names in a request."""
_KEPT_BYTES_MIN = 4_096
_KEPT_BYTES_MAX = 2 * 1_048_576
_PASSED_AT_ONCE_MAX = 512 * 1024
"""The bytes of a text that are passed over in one piece, those of its check included; that takes up to 5 ms."""


def check_size(raw: bytes, setting: str, limit: int, otherwise: str, what: str = "value") -> None:
    """Raises: LimitExceeded: Bytes are too many to be parsed; `otherwise` says how to ask for them instead."""
    if len(raw) > limit:
        message = f"The {what} has {len(raw)} bytes; the limit of {setting} is {limit}: ask for it {otherwise}."
        raise LimitExceeded(message, limit=limit, setting=setting)


def _value_of(record: Record) -> bytes:
    return record.value or b""


class JsonText:
    """JSON that is already encoded: the encoder puts it in as it is, however deep it is."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text

    def __len__(self) -> int:
        return len(self.text)


class JsonValues:
    """Parses values; the last one, and large ones of late, are not parsed again."""

    def __init__(self, bytes_max: int, text_of: Callable[[Record], bytes] = _value_of) -> None:
        """`text_of` gives a record's value as the text that is parsed; by default, it is the text."""
        self._bytes_max = bytes_max
        self._text_of = text_of
        self._last: tuple[Record | None, ExactJson | LargeJson] = (None, ExactJson(b"null"))
        # Held with their records: an identity is only one as long as its object lives.
        self._kept: LRUCache[int, tuple[Record, ExactJson | LargeJson, int]] = LRUCache(
            _KEPT_BYTES_MAX, getsizeof=lambda kept: kept[2]
        )

    def part(self, record: Record, pointer: str) -> JsonText | None:
        """The part of a record's value at a JSON Pointer (RFC 6901); None where nothing is.

        Raises:
            NotJson: The value is not JSON.
            LimitExceeded: It is too large to be parsed, or to be nested as deep as it is.
            BadInput: The pointer is none, or too long.
            InTurns: Finding the part takes long.
        """
        try:
            value = self._parsed(record)
        except InTurns as work:
            raise InTurns(self._later(work, record, pointer)) from None
        path = _path(pointer)
        return _begun(value, path) if isinstance(value, LargeJson) else _json_text(value.part(path))

    def _later(self, work: InTurns, record: Record, pointer: str) -> Generator[Any, Any, JsonText | None]:
        """The part of a record's value whose text is found in pieces."""
        text = yield from work.pieces
        yield
        value, path = self._keep(record, text), _path(pointer)
        return (yield from _search(value, path)) if isinstance(value, LargeJson) else _json_text(value.part(path))

    def _parsed(self, record: Record) -> ExactJson | LargeJson:
        last, parsed = self._last
        if last is record:
            return parsed
        if (kept := self._kept.get(id(record))) is not None:
            return kept[1]
        return self._keep(record, self._text_of(record))

    def _keep(self, record: Record, text: bytes) -> ExactJson | LargeJson:
        parsed = self._parse(text)
        self._last = record, parsed
        # Few bytes may be long text.
        size = len(text) if text is record.value else len(text) + len(record.value or b"")
        if _KEPT_BYTES_MIN <= size <= _KEPT_BYTES_MAX:
            self._kept[id(record)] = record, parsed, size
        return parsed

    def _parse(self, value: bytes) -> ExactJson | LargeJson:
        check_size(value, "KVS_JSON_BYTES_MAX", self._bytes_max, "as text")
        try:
            return parse(value)
        except TooDeep as error:
            raise _too_large(error) from None
        except NotJsonText as error:
            raise NotJson(f"The value is not JSON: {error}.") from None


def _search(value: LargeJson, path: Sequence[str]) -> Generator[int, None, JsonText | None]:
    try:
        return _json_text((yield from value.search(path)))
    except TooDeep as error:
        raise _too_large(error) from None


def _begun(value: LargeJson, path: Sequence[str]) -> JsonText | None:
    """The part at a path, if that takes no longer than to pass over so many bytes; else it raises InTurns."""
    left, search = _PASSED_AT_ONCE_MAX - value.size, _search(value, path)
    try:
        while (left := left - next(search)) >= 0:
            pass
    except StopIteration as end:
        found: JsonText | None = end.value
        return found
    raise InTurns(search)


def _too_large(error: TooDeep) -> LimitExceeded:
    return LimitExceeded(f"The value is too large to be parsed: {error}: ask for it as text.")


def _json_text(part: bytes | None) -> JsonText | None:
    return None if part is None else JsonText(part)


def _path(pointer: str) -> Sequence[str]:
    """The tokens of a pointer. Raises: BadInput: It is none, or too long."""
    if not pointer:
        return ()
    if len(pointer) > _POINTER_CHARACTERS_MAX:
        message = f"The JSON Pointer is longer than the limit of {_POINTER_CHARACTERS_MAX} characters."
        raise BadInput(message, limit=_POINTER_CHARACTERS_MAX)
    try:
        return _tokens(pointer)
    except JsonPointerException as error:
        raise BadInput(f"Not a JSON Pointer: {error}") from None


@lru_cache(_POINTERS_CACHED)
def _tokens(pointer: str) -> Sequence[str]:
    tokens: list[str] = JsonPointer(pointer).parts
    return tokens
