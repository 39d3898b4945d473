"""The text of a long list or object, cut between its parts: its items, or its members.

A pass over a megabyte of small parts takes up to a twentieth of a second, and makes half a million Python objects if
each part becomes one. Here it is made in steps of some tenths of a millisecond, and no farther than somebody asks.
"""

import re
from collections.abc import Callable, Generator, Iterator
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

WINDOW_BYTES = 4_096
"""A chunk has at most so many bytes, or one part alone; a step passes over about as many."""
# Parts that are nested deeper are passed over one level after the other.
_LEVELS = 6
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_QUOTE, _COMMA, _CLOSERS = ord('"'), ord(","), b"]}"


def _nested(levels: int) -> bytes:
    """A pattern of lists and objects that are not deeper."""
    below = b"" if levels == 1 else b"|" + _nested(levels - 1)
    return rb'[\[{](?:[^\[\]{}"]++|' + _STRING + below + rb")*+[\]}]"


_WHOLE = _STRING + b"|" + _nested(_LEVELS)
_PARTS = re.compile(rb'(?:(?:[^\[\]{}",]++|' + _WHOLE + rb")++,)*+", re.DOTALL)
_BETWEEN = re.compile(rb'[^\[\]{}",]*+')
_INSIDE = re.compile(rb'(?:[^\[\]{}"]++|' + _WHOLE + rb")*+", re.DOTALL)
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
# Of the characters around a cut, with its comma.
_BEFORE, _AFTER = 4, 3


class Chunk(NamedTuple, Generic[T]):
    """Some parts of a list or object, one after the other."""

    end: int
    """Where it ends: after the comma of its last part, or at the end of the text."""
    parts: T


def chunks(
    text: bytes, begin: int, end: int, decode: Callable[[int, int], T], broken: type[Exception]
) -> Iterator[Chunk[T] | None]:
    """The chunks in order; None after a step within a large part. The text between is JSON, and begins with a part.

    `decode` gets where a chunk begins and ends. It raises `broken` where these are not whole parts.
    """
    around = b""
    while begin < end:
        cut = min(begin + WINDOW_BYTES, end)
        chunk = None
        if cut < end:
            # Mostly, parts are parted by the same characters; and no other comma leaves whole parts.
            chunk = _guessed(text, begin, cut, decode, broken, around) if around else None
            if chunk is None:
                cut = _passed(_PARTS, text, begin, cut)
            if cut == begin:
                cut = yield from _end_of_part(text, begin, end)
        chunk = chunk or Chunk(cut, decode(begin, cut))
        begin = chunk.end
        around = text[max(begin - _BEFORE, 0) : begin + _AFTER]
        yield chunk


def _guessed(
    text: bytes, begin: int, until: int, decode: Callable[[int, int], T], broken: type[Exception], around: bytes
) -> Chunk[T] | None:
    """The chunk up to the last comma between such characters; None where that is within a part, or there is none."""
    found = text.rfind(around, begin, until)
    end = found + _BEFORE
    if found < begin:
        return None
    try:
        return Chunk(end, decode(begin, end))
    except broken:
        return None


def _end_of_part(text: bytes, at: int, end: int) -> Generator[None, None, int]:
    """Where the next part begins after one of any size and depth; the end after the last one."""
    depth, in_string = 0, False
    while at < end:
        until = min(at + WINDOW_BYTES, end)
        while at < until:
            at = _passed(_IN_STRING if in_string else _INSIDE if depth else _BETWEEN, text, at, until)
            if at >= until:
                break
            mark = text[at]
            at += 1
            if in_string:
                # Else it is a backslash, of an escape that the window ends in.
                in_string = mark != _QUOTE
                at += in_string
            elif mark == _QUOTE:
                in_string = True
            elif mark == _COMMA:
                return at
            else:
                depth += -1 if mark in _CLOSERS else 1
        yield None
    return end


def _passed(pattern: re.Pattern[bytes], text: bytes, begin: int, end: int) -> int:
    """Where a pattern ends that is there, if only as nothing."""
    matched = pattern.match(text, begin, end)
    assert matched is not None
    return matched.end()
