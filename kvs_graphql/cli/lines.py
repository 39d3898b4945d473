"""Parse keys and values from a stream of NDJSON or CSV lines in bounded memory."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from kvs_graphql.cli.tables import TableFields
from kvs_graphql.errors import ClientError
from kvs_graphql.exact_json import ExactJson, NotJsonText

LINE_BYTES_MAX = 8 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_QUOTE = b'"'


@dataclass(frozen=True, slots=True)
class Line:
    """A parsed line: a key with its new value, or None to delete the key."""

    number: int
    key: Any
    value: Any
    size: int = field(default=0, compare=False)
    """Approximate memory use, in characters."""
    order: str = field(default="", compare=False)
    """The lines of equal keys have it in common."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be parsed, and the reason."""

    number: int
    reason: str


class Format(Protocol):
    """A parser of lines, which takes them in order."""

    def parse(self, number: int, line: bytes) -> Line | BadLine | None: ...
    def end(self) -> BadLine | None: ...


class LineSplitter:
    """Split a stream into lines. A line over the limit is truncated to one byte more than the limit."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that end in this chunk, without their line breaks."""
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            yield bytes(self._rest + line if self._rest else line)
            self._rest.clear()
        self._rest += rest[: max(0, LINE_BYTES_MAX + 1 - len(self._rest))]

    def end(self) -> Iterator[bytes]:
        """Yield the last line if it has no line break."""
        if self._rest:
            yield bytes(self._rest)


class Ndjson:
    """One JSON object per line: `{"key": "a", "value": "1"}`; where values are typed, `{"key": "a", "data": {...}}`.

    Null deletes the key; any other value that is not a string is written as JSON. Empty lines are ignored.
    """

    def __init__(self, fields: TableFields) -> None:
        self._fields = fields
        self._names = {"key", fields.value_name}
        form = '"..."' if fields.shown_key is None else "..."
        self._problem = f'not of the form {{"key": {form}, "{fields.value_name}": ...}}'

    def parse(self, number: int, line: bytes) -> Line | BadLine | None:
        """Parse a line; None for an empty one."""
        if len(line) > LINE_BYTES_MAX:
            return BadLine(number, f"longer than {LINE_BYTES_MAX} bytes")
        if not line.strip():
            return None
        try:
            parsed = ExactJson(_without_byte_order_mark(number, line))
        except NotJsonText as error:
            return BadLine(number, f"not JSON: {error}")
        key, value = parsed.part(["key"]), parsed.part([self._fields.value_name])
        if set(parsed.names()) != self._names or key is None:
            return BadLine(number, self._problem)
        return self._line(number, key, value, len(line))

    def end(self) -> BadLine | None:
        """Return None: no record spans several lines."""
        return None

    def _line(self, number: int, key: bytes, value: bytes | None, size: int) -> Line | BadLine:
        fields = self._fields
        if fields.shown_key is None and not key.startswith(_QUOTE):
            return BadLine(number, self._problem)
        try:
            return _line(number, fields, fields.key.of_json(key), None if value is None else self._value(value), size)
        except ClientError as error:
            return BadLine(number, str(error))

    def _value(self, value: bytes) -> Any:
        return _written(value) if self._fields.data is None else self._fields.value.of_json(value)


class Csv:
    """A key and a value per record, with the quoting of RFC 4180. A first line `key,value` is a header.

    Typed keys and values are as a command line has them.
    """

    def __init__(self, fields: TableFields) -> None:
        self._fields = fields
        self._header = ["key", fields.value_name]
        self._incomplete = b""
        self._first_line = 0
        csv.field_size_limit(2 * LINE_BYTES_MAX)

    def parse(self, number: int, line: bytes) -> Line | BadLine | None:
        """Parse a line; None for an empty one, or if the record continues in the next line."""
        if not self._incomplete:
            self._first_line = number
        record = self._incomplete + _without_byte_order_mark(number, line)
        self._incomplete = b""
        if len(record) > LINE_BYTES_MAX:
            return BadLine(self._first_line, f"longer than {LINE_BYTES_MAX} bytes")
        if record.count(_QUOTE) % 2:
            self._incomplete = record + b"\n"
            return None
        return self._parse_record(self._first_line, record)

    def end(self) -> BadLine | None:
        """Return the record that has not ended, if there is one."""
        return BadLine(self._first_line, "unterminated quote") if self._incomplete else None

    def _parse_record(self, number: int, record: bytes) -> Line | BadLine | None:
        try:
            row = next(csv.reader([record.decode().removesuffix("\r")], strict=True), [])
        except (csv.Error, UnicodeDecodeError) as error:
            return BadLine(number, f"not CSV in UTF-8: {error}")
        if not row or (number == 1 and row == self._header):
            return None
        if len(row) != len(self._header):
            return BadLine(number, f"has {len(row)} columns instead of 2")
        fields, (key, value) = self._fields, row
        try:
            return _line(number, fields, fields.key_of(key), fields.value_of(value), len(record))
        except ClientError as error:
            return BadLine(number, str(error))


def _line(number: int, fields: TableFields, key: Any, value: Any, size: int) -> Line:
    return Line(number, key, value, size, fields.key.order_of(key))


def _written(value: bytes) -> str:
    """Return a string's contents, and other JSON as it is written."""
    text: str = orjson.loads(value) if value.startswith(_QUOTE) else value.decode()
    return text


def _without_byte_order_mark(number: int, line: bytes) -> bytes:
    return line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
