"""Parts of a large JSON text, of which no Python objects are made but those along the path.

msgspec passes over what nobody asked for, and returns the text of the rest. It refuses lone surrogates, too, but takes
any bytes in strings. Whatever takes longer than such a pass is done in pieces.
"""

from collections.abc import Generator, Sequence

import msgspec

from kvs_graphql.exact_json.scan import NotJsonText, scan_in_pieces
from kvs_graphql.exact_json.text import INDEX, LINE_BREAKS, ExactJson, decoded
from kvs_graphql.exact_json.wide import Items, Members, Search
from kvs_graphql.turns import at_once

LARGE_BYTES_MIN = 32 * 1024
"""Below, `ExactJson` takes no more than a few milliseconds, whatever the text."""
# Each level costs one more pass over the text. Below the last one, the text is scanned once for each part.
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
        self._text = text
        self._kept: dict[tuple[str, ...], _Below] = {}
        try:
            if _is_list(text):
                # One pass does both.
                self._kept[()] = Items(text)
            else:
                _ANY.decode(text)
        except RecursionError:
            raise self._too_deep() from None
        except msgspec.DecodeError as error:
            raise NotJsonText(str(error)) from None

    @property
    def size(self) -> int:
        """The bytes of the text, which were passed over to check it."""
        return len(self._text)

    def part(self, path: Sequence[str]) -> bytes | None:
        """Return the JSON at the tokens of a JSON Pointer (RFC 6901), in one line; None if there is nothing or null.

        Raises:
            TooDeep: The stack has more on it than it had for the check, and is too short now.
        """
        return at_once(self.search(path))

    def search(self, path: Sequence[str]) -> Search:
        """Find a part in pieces; see `Search`, and `part` for what is raised."""
        try:
            return (yield from self._searched(path))
        except RecursionError:
            raise self._too_deep() from None

    def _searched(self, path: Sequence[str]) -> Search:
        found = self._text
        for depth, token in enumerate(path):
            if depth >= _LEVELS_MAX and len(found) >= LARGE_BYTES_MIN:
                scanned = yield from scan_in_pieces(found, path[depth:])
                return _shown(scanned.text)
            below = yield from self._below(tuple(path[:depth]), found)
            if isinstance(below, ExactJson):
                return below.part(path[depth:])
            part = yield from _searched_below(below, token)
            if part is None:
                return None
            found = part
        return _shown(found)

    def names(self) -> list[str]:
        """Return the names of an object's members; none if the text is no object. See `part` for what is raised."""
        try:
            outermost = at_once(self._below((), self._text))
            return outermost.names() if isinstance(outermost, Members) else []
        except RecursionError:
            raise self._too_deep() from None

    def _too_deep(self) -> TooDeep:
        return TooDeep(f"it is nested too deep for its {len(self._text)} bytes")

    def _below(self, path: tuple[str, ...], text: bytes) -> Generator[int, None, _Below]:
        """Return what the text at a path consists of; None if that is no list and no object."""
        if path not in self._kept:
            yield len(text)
            # Another search may have found it meanwhile.
            self._kept.setdefault(path, _parsed(text, len(path)))
        return self._kept[path]


def _searched_below(below: Members | Items | None, token: str) -> Search:
    if isinstance(below, Members):
        return (yield from below.search(token))
    if isinstance(below, Items) and INDEX.fullmatch(token):
        return (yield from below.search(int(token)))
    return None


def _shown(found: bytes | None) -> bytes | None:
    return None if found is None or found.strip(_WHITESPACE) == b"null" else found.translate(None, LINE_BREAKS)


def _parsed(text: bytes, depth: int) -> _Below:
    if depth > 0 and len(text) < LARGE_BYTES_MIN:
        return ExactJson(text)
    if _is_list(text):
        return Items(text)
    return Members(text) if text.lstrip(_WHITESPACE)[:1] == b"{" else None


def _is_list(text: bytes) -> bool:
    return text.lstrip(_WHITESPACE)[:1] == b"["


def parse(text: bytes) -> ExactJson | LargeJson:
    """Check a text of any size.

    Raises:
        NotJsonText: It is not JSON, or is too large for its depth.
    """
    return ExactJson(text) if len(text) < LARGE_BYTES_MIN else LargeJson(text)
