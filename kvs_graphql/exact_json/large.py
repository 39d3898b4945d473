"""Parts of a large JSON text, of which no Python objects are made but those along the path.

msgspec passes over what nobody asked for, and returns the text of the rest. It refuses lone surrogates, too, but takes
any bytes in strings.
"""

from collections.abc import Sequence

import msgspec

from kvs_graphql.exact_json.scan import NotJsonText
from kvs_graphql.exact_json.text import INDEX, LINE_BREAKS, ExactJson, decoded
from kvs_graphql.exact_json.wide import Items, Members

LARGE_BYTES_MIN = 32 * 1024
"""Below, `ExactJson` takes no more than a few milliseconds, whatever the text."""
# Each level costs another pass over the text. Large parts below these levels are parsed in one piece.
_LEVELS_MAX = 8
_WHITESPACE = b" \t\r\n"
_ANY = msgspec.json.Decoder(msgspec.Raw)

_Below = Members | Items | ExactJson | None


class TooDeep(NotJsonText):
    """A text that is nested deeper than the interpreter's stack, and too large to be scanned without it."""


class LargeJson:
    """A large JSON text (RFC 8259), and its parts. What leads to a part is kept for the next one."""

    __slots__ = ("_kept", "_text")

    def __init__(self, text: bytes) -> None:
        """Check a text.

        Raises:
            TooDeep: It is nested too deep.
            NotJsonText: It is not JSON, or has escapes of lone surrogates, which UTF-8 cannot hold.
        """
        decoded(text)
        try:
            _ANY.decode(text)
        except RecursionError:
            raise TooDeep(f"it is nested too deep for its {len(text)} bytes") from None
        except msgspec.DecodeError as error:
            raise NotJsonText(str(error)) from None
        self._text = text
        self._kept: dict[tuple[str, ...], _Below] = {}

    def part(self, path: Sequence[str]) -> bytes | None:
        """Return the JSON at the tokens of a JSON Pointer (RFC 6901), in one line; None if there is nothing or null."""
        found = self._text
        for depth, token in enumerate(path):
            at = tuple(path[:depth])
            below = self._below(at, found)
            if isinstance(below, ExactJson):
                return below.part(path[depth:])
            if isinstance(below, Items):
                part = below.get(int(token)) if INDEX.fullmatch(token) else None
            else:
                part = None if below is None else below.get(token)
            if part is None:
                return None
            found = part
        return None if found.strip(_WHITESPACE) == b"null" else found.translate(None, LINE_BREAKS)

    def names(self) -> list[str]:
        """Return the names of an object's members; none if the text is no object."""
        outermost = self._below((), self._text)
        return outermost.names() if isinstance(outermost, Members) else []

    def _below(self, path: tuple[str, ...], text: bytes) -> _Below:
        """Return what the text at a path consists of; None if that is no list and no object."""
        if path not in self._kept:
            self._kept[path] = _parsed(text, len(path))
        return self._kept[path]


def _parsed(text: bytes, depth: int) -> _Below:
    if depth > 0 and (len(text) < LARGE_BYTES_MIN or depth >= _LEVELS_MAX):
        return ExactJson(text)
    begin = text.lstrip(_WHITESPACE)[:1]
    if begin == b"{":
        return Members(text)
    if begin == b"[":
        return Items(text)
    return None


def parse(text: bytes) -> ExactJson | LargeJson:
    """Check a text of any size.

    Raises:
        NotJsonText: It is not JSON, or is too large for its depth.
    """
    return ExactJson(text) if len(text) < LARGE_BYTES_MIN else LargeJson(text)
