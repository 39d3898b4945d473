"""Keys and values out of a stream of bytes, line by line, in bounded memory: NDJSON or CSV."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import orjson

LINE_BYTES_MAX = 8 * 1024 * 1024
_HEADING = ["key", "value"]
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_QUOTE = b'"'


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says: the value that its key is to have, or None to delete it."""

    number: int
    key: str
    value: str | None

    @property
    def size(self) -> int:
        """In characters, about what it costs to hold."""
        return len(self.key) + len(self.value or "")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that says nothing that could be written, and why."""

    number: int
    reason: str


class Form(Protocol):
    """A way to write keys and values; takes the lines in order."""

    def line(self, number: int, line: bytes) -> Line | BadLine | None: ...
    def end(self) -> BadLine | None: ...


class Lines:
    """Cuts a stream into lines. Of a line that is too long only the start is kept, which is still too long."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that end in this chunk, without their ends."""
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            yield bytes(self._rest + line if self._rest else line)
            self._rest.clear()
        self._rest += rest[: max(0, LINE_BYTES_MAX + 1 - len(self._rest))]

    def end(self) -> Iterator[bytes]:
        """The last line, if it did not end."""
        if self._rest:
            yield bytes(self._rest)


class Ndjson:
    """One JSON object a line: `{"key": "a", "value": "1"}`.

    A value that is no string is written as its JSON; null deletes the key. Empty lines say nothing.
    """

    def line(self, number: int, line: bytes) -> Line | BadLine | None:
        """What the line says; None for nothing."""
        if len(line) > LINE_BYTES_MAX:
            return BadLine(number, f"longer than {LINE_BYTES_MAX} bytes")
        if not line.strip():
            return None
        try:
            said = orjson.loads(_unmarked(number, line))
        except orjson.JSONDecodeError as error:
            return BadLine(number, f"not JSON: {error}")
        if not isinstance(said, dict) or said.keys() != {"key", "value"} or not isinstance(said["key"], str):
            return BadLine(number, 'not of the form {"key": "...", "value": ...}')
        value = said["value"]
        return Line(number, said["key"], value if isinstance(value, str | None) else orjson.dumps(value).decode())

    def end(self) -> BadLine | None:
        """Nothing is left over."""
        return None


class CommaSeparated:
    """A key and a value a line, quoted where need be (RFC 4180). A first line `key,value` is a heading."""

    def __init__(self) -> None:
        self._open = b""
        self._began = 0
        csv.field_size_limit(2 * LINE_BYTES_MAX)

    def line(self, number: int, line: bytes) -> Line | BadLine | None:
        """What the line says; None for nothing, and where its record goes on in the next line."""
        if not self._open:
            self._began = number
        record = self._open + _unmarked(number, line)
        self._open = b""
        if len(record) > LINE_BYTES_MAX:
            return BadLine(self._began, f"longer than {LINE_BYTES_MAX} bytes")
        if record.count(_QUOTE) % 2:
            self._open = record + b"\n"
            return None
        return _of_record(self._began, record)

    def end(self) -> BadLine | None:
        """What is left over."""
        return BadLine(self._began, "a quote without an end") if self._open else None


def _of_record(number: int, record: bytes) -> Line | BadLine | None:
    try:
        row = next(csv.reader([record.decode().removesuffix("\r")], strict=True), [])
    except (csv.Error, UnicodeDecodeError) as error:
        return BadLine(number, f"not CSV in UTF-8: {error}")
    if not row or (number == 1 and row == _HEADING):
        return None
    if len(row) != len(_HEADING):
        return BadLine(number, f"has {len(row)} columns, not a key and a value")
    return Line(number, *row)


def _unmarked(number: int, line: bytes) -> bytes:
    return line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
