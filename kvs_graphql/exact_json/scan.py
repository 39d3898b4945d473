"""A scan of JSON text without recursion, so that no depth is too deep."""

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import orjson

from kvs_graphql.turns import at_once

_SPACE = rb"[ \t\r\n]*+"
_STRING = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_NAME = rb"(?P<name>" + _STRING + rb")" + _SPACE + rb":" + _SPACE
_LEAF = rb"|".join([_STRING, _NUMBER, rb"true|false|null", rb"\[" + _SPACE + rb"\]", rb"\{" + _SPACE + rb"\}"])
_BEGIN = re.compile(rb"(?P<leaf>" + _LEAF + rb")|(?P<list>\[)" + _SPACE + rb"|\{" + _SPACE + _NAME)
_NEXT = re.compile(_SPACE + rb"(?:(?P<end>[\]}])|," + _SPACE + rb"(?:" + _NAME + rb")?)")
_MARGIN = re.compile(_SPACE)
_LIST, _OBJECT = b"]}"
_PASSED = -(2**62)
_VALUES_PER_PIECE = 512
_PIECE = 64 * 1024
"""The bytes that msgspec passes over in the time of a piece, whatever they are."""


class NotJsonText(ValueError):
    """A text that is not JSON, and why."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan found."""

    text: bytes | None
    """The text at the path; None if there is nothing. Of members with one name, the last one counts."""
    names: list[str]
    """The names of the outermost object's members."""


def scan(text: bytes, path: Sequence[str] = ()) -> Scanned:
    """Find the text at the tokens of a JSON Pointer (RFC 6901).

    Raises:
        NotJsonText: The text is not JSON.
    """
    return at_once(scan_in_pieces(text, path))


def scan_in_pieces(text: bytes, path: Sequence[str]) -> Generator[int, None, Scanned]:
    """The same as `scan`; it yields before each piece what `Search` does.

    Raises:
        NotJsonText: The text is not JSON.
    """
    scanner = _Scanner(text, path)
    position = scanner.begin(_margin(text, 0))
    values = 1
    while not scanner.ended:
        if values % _VALUES_PER_PIECE == 0:
            yield _PIECE
        position = scanner.begin(position)
        values += 1
    if _margin(text, position) != len(text):
        raise _unexpected(position)
    return Scanned(scanner.found, scanner.names)


class _Scanner:
    """Follows the nesting by a stack of its own."""

    def __init__(self, text: bytes, path: Sequence[str]) -> None:
        self.names: list[str] = []
        self.found: bytes | None = None
        self.ended = False
        self._text = text
        self._path = path
        # How the open lists and objects close; the outermost `_on_path` of them lead along the path.
        self._closers = bytearray()
        self._on_path = 0
        self._leads = True  # whether the next value does
        self._index = 0  # of the next item in the innermost list on the path
        self._start: int | None = None  # of the value at the path, while it is open

    def begin(self, position: int) -> int:
        """Take the beginning of a value, with all that follows up to the next value."""
        if (begun := _BEGIN.match(self._text, position)) is None:
            raise _unexpected(position)
        if self._leads:
            self.found = None
            self._start = position if len(self._closers) == len(self._path) else None
        if begun["leaf"] is not None:
            return self._go_on(begun.end())
        self._closers.append(_LIST if begun["name"] is None else _OBJECT)
        if self._leads and self._start is None:
            self._on_path = len(self._closers)
            self._index = 0
        self._expect(begun["name"])
        return begun.end()

    def _go_on(self, position: int) -> int:
        """Close what ends after a value."""
        while True:
            if self._start is not None and len(self._closers) == len(self._path):
                self.found, self._start = self._text[self._start : position], None
            if not self._closers:
                self.ended = True
                return position
            if (following := _NEXT.match(self._text, position)) is None:
                raise _unexpected(position)
            if (end := following["end"]) is None:
                break
            if self._closers.pop() != end[0]:
                raise _unexpected(position)
            position = following.end()
            if self._on_path > len(self._closers):
                self._on_path = len(self._closers)
                self._index = _PASSED
        if (following["name"] is None) != (self._closers[-1] == _LIST):
            raise _unexpected(position)
        if self._on_path == len(self._closers):
            self._index += 1
        self._expect(following["name"])
        return following.end()

    def _expect(self, name: bytes | None) -> None:
        depth = len(self._closers)
        if depth == 1 and name is not None:
            self.names.append(orjson.loads(name))
        self._leads = self._on_path == depth and self._path[depth - 1] == (
            str(self._index) if name is None else orjson.loads(name)
        )


def _margin(text: bytes, position: int) -> int:
    margin = _MARGIN.match(text, position)
    return position if margin is None else margin.end()


def _unexpected(position: int) -> NotJsonText:
    return NotJsonText(f"it breaks off or goes wrong at byte {position + 1}")
