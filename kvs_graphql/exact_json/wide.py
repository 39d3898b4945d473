"""Members and items of large JSON texts, of which a megabyte can hold half a million.

To make an object of each takes up to a twentieth of a second. Here, only those are made that are asked for: the first
few members and items by one pass of msgspec over the others, and those farther on by chunks of the text.
"""

import re
from bisect import bisect_right
from collections.abc import Generator, Iterator
from typing import TypeVar, cast

import msgspec

from kvs_graphql.exact_json.chunks import WINDOW_BYTES, Chunk, chunks

T = TypeVar("T")
Search = Generator[int, None, bytes | None]
"""Finds a text in pieces, none of which takes longer than a pass over all by msgspec; None if there is nothing.

Before each, it tells how many bytes msgspec could pass over in the time that it may take.
"""
_Chunks = Iterator[Chunk[T] | None]
FIRST_ITEMS = 256
_FIRST = msgspec.json.Decoder(
    msgspec.defstruct("_First", [(f"item_{n}", msgspec.Raw, None) for n in range(FIRST_ITEMS)], array_like=True)
)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Each costs a pass over the text; for the next one, all members are made.
MEMBERS_ALONE = 8
# Other names cannot be those of a struct's fields.
_NAME_ALONE = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]{1,256}')
_MADE_AT_ONCE_BYTES_MAX = 256 * 1024
"""Members of so many bytes take some milliseconds, whatever they are."""
_GAP = re.compile(rb"[ \t\r\n,]*+")
_MARK = re.compile(rb'[\[{"]')
_STEP = 8 * WINDOW_BYTES


class Members:
    """The members of an object. Of those with one name, the last one counts."""

    __slots__ = ("_all", "_chunks", "_found", "_is_whole", "_text")

    def __init__(self, text: bytes) -> None:
        """Take the text of an object, which is JSON."""
        self._text = text
        self._found: dict[str, msgspec.Raw | None] = {}
        # Those of the chunks before, once one was asked for too many.
        self._all: dict[str, msgspec.Raw | None] = {}
        self._is_whole = False
        self._chunks: _Chunks[dict[str, msgspec.Raw]] | None = None

    def search(self, name: str) -> Search:
        """Find the text of a member."""
        if not self._is_whole and name not in self._found:
            if len(self._found) < MEMBERS_ALONE and _NAME_ALONE.fullmatch(name):
                yield len(self._text)
                self._found.setdefault(name, self._alone(name))
            else:
                yield from self._make_all()
        found = self._all if self._is_whole else self._found
        raw = found.get(name)
        return None if raw is None else bytes(raw)

    def names(self) -> list[str]:
        """The names of all members."""
        self._make_at_once()
        return list(self._all)

    def _alone(self, name: str) -> msgspec.Raw | None:
        holder = msgspec.defstruct("_Holder", [("value", msgspec.Raw, None)], rename={"value": name})
        (found,) = msgspec.structs.astuple(msgspec.json.decode(self._text, type=holder))
        return cast("msgspec.Raw | None", found)

    def _make_at_once(self) -> None:
        """Make all members in one piece, in which large ones are passed over faster."""
        if not self._is_whole:
            self._all = dict(_OBJECT.decode(self._text))
            self._is_whole = True

    def _make_all(self) -> Iterator[int]:
        if len(self._text) <= _MADE_AT_ONCE_BYTES_MAX:
            yield len(self._text)
            self._make_at_once()
        while not self._is_whole:
            yield _STEP
            self._make_some()

    def _make_some(self) -> None:
        """Make the members of one more chunk, or come closer to its end."""
        if self._is_whole:
            return
        if self._chunks is None:
            begin, end = self._text.index(b"{") + 1, self._text.rindex(b"}")
            self._chunks = chunks(self._text, begin, end, self._decoded, msgspec.DecodeError)
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._is_whole = True
        except RecursionError:
            # They would seem to have come to their end; from a lower stack, they begin anew.
            self._chunks = None
            raise
        else:
            if chunk is not None:
                self._all |= chunk.parts

    def _decoded(self, begin: int, end: int) -> dict[str, msgspec.Raw]:
        return _OBJECT.decode(_enclosed(b"{", self._text, begin, end, b"}"))


class Items:
    """The items of a list."""

    __slots__ = ("_before", "_begins", "_chunks", "_first", "_latest", "_text")

    def __init__(self, text: bytes) -> None:
        """Check the text of a list, and find its first items.

        Raises:
            msgspec.DecodeError, RecursionError: It is not JSON, or nested too deep.
        """
        self._text = text
        first = msgspec.structs.astuple(_FIRST.decode(text))
        self._first = [bytes(item) for item in first if item is not None]
        # Of each chunk, where it begins, and how many items are before it; at last where the next one begins.
        self._begins = [self._end_of_first()]
        self._before = [len(self._first)]
        self._chunks: _Chunks[int] | None = None
        self._latest: tuple[int, list[msgspec.Raw]] = (-1, [])

    def search(self, index: int) -> Search:
        """Find the text of an item."""
        if index < len(self._first):
            return self._first[index]
        while index >= self._before[-1]:
            yield _STEP
            if index >= self._before[-1] and not self._pass_some():
                return None
        number = bisect_right(self._before, index) - 1
        if self._latest[0] != number:
            begin, end = self._begins[number : number + 2]
            self._latest = number, _LIST.decode(_enclosed(b"[", self._text, begin, end, b"]"))
        return bytes(self._latest[1][index - self._before[number]])

    def _end_of_first(self) -> int:
        """Where the next item begins after the first ones."""
        at = _gap_end(self._text, self._text.index(b"[") + 1)
        for item in self._first:
            at = _gap_end(self._text, at + len(item))
        return at

    def _pass_some(self) -> bool:
        """Pass over one more chunk, or come closer to its end; return whether there may be more."""
        if self._chunks is None:
            begin, end = self._begins[-1], self._text.rindex(b"]")
            self._chunks = chunks(self._text, begin, end, self._number, msgspec.DecodeError)
        try:
            chunk = next(self._chunks)
        except StopIteration:
            return False
        except RecursionError:
            # As for members; but items go on after the last chunk.
            self._chunks = None
            raise
        if chunk is not None:
            self._before.append(self._before[-1] + chunk.parts)
            self._begins.append(chunk.end)
        return True

    def _number(self, begin: int, end: int) -> int:
        """How many items there are."""
        if end - begin > WINDOW_BYTES:
            return 1
        chunk = _enclosed(b"[", self._text, begin, end, b"]")
        # Between numbers, booleans and nulls, each comma parts two items.
        return len(_LIST.decode(chunk)) if _MARK.search(chunk, 1) else chunk.count(b",") + 1


def _gap_end(text: bytes, at: int) -> int:
    """Where whitespace and commas end."""
    gap = _GAP.match(text, at)
    return at if gap is None else gap.end()


def _enclosed(opener: bytes, text: bytes, begin: int, end: int, closer: bytes) -> bytes:
    """The list or object of the parts of one chunk."""
    return opener + text[begin:end].removesuffix(b",") + closer
