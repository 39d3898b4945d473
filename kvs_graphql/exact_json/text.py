"""A JSON text and its parts.

The whole text is returned as it is. For a part of it, orjson's values are encoded again if that returns the same text;
otherwise numbers are parsed as their text. A text that is nested too deep for both is scanned without recursion.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import orjson

from kvs_graphql.compat.orjson import compact
from kvs_graphql.exact_json.scan import NotJsonText, scan

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WHITESPACE = b" \t\r\n"
LINE_BREAKS = b"\r\n"
INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
# Integers of so many characters fit into 64 bits.
_SMALL_INTEGER_CHARACTERS_MAX = 18
_SURROGATE = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_TOO_DEEP = object()


class ExactJson:
    """A JSON text (RFC 8259), and its parts."""

    __slots__ = ("_is_exact", "_text", "_tree")

    def __init__(self, text: bytes) -> None:
        """Check a text.

        Raises:
            NotJsonText: It is not JSON, or has escapes of lone surrogates, which UTF-8 cannot hold.
        """
        self._text = text
        self._is_exact = False
        try:
            self._tree = orjson.loads(text)
        except orjson.JSONDecodeError:
            self._use_exact_tree()  # Also numbers that no double is near to.

    def part(self, path: Sequence[str]) -> bytes | None:
        """Return the JSON at the tokens of a JSON Pointer (RFC 6901), in one line; None if there is nothing or null."""
        if not path and not _has_line_breaks(self._text):
            return None if self._tree is None else self._text
        if self._tree is _TOO_DEEP:
            return self._scanned_part(path)
        found = _find(self._tree, path)
        if found is None:
            return None
        if not (self._is_exact or _is_exact(found)):
            self._ensure_exact()
            return self.part(path)
        try:
            return compact(orjson.dumps(found))
        except orjson.JSONEncodeError:
            return self._scanned_part(path)

    def names(self) -> list[str]:
        """Return the names of an object's members; none if the text is no object."""
        if self._tree is _TOO_DEEP:
            return scan(self._text).names
        return list(self._tree) if isinstance(self._tree, dict) else []

    def _scanned_part(self, path: Sequence[str]) -> bytes | None:
        found = scan(self._text, path).text
        return None if found is None or found == b"null" else found.translate(None, LINE_BREAKS)

    def _ensure_exact(self) -> None:
        """Keep the values if they encode to the same text, apart from whitespace."""
        try:
            encoded = orjson.dumps(self._tree)
        except orjson.JSONEncodeError:
            encoded = b""
        if encoded == self._text or _without_whitespace(encoded) == _without_whitespace(self._text):
            self._is_exact = True
        else:
            self._use_exact_tree()

    def _use_exact_tree(self) -> None:
        self._is_exact = True
        try:
            self._tree = _DECODER.decode(decoded(self._text))
        except RecursionError:
            self._tree = _TOO_DEEP
        except json.JSONDecodeError as error:
            raise NotJsonText(f"{error.msg}, at character {error.pos + 1}") from None
        if any(match["lone"] for match in _SURROGATE.finditer(self._text)):
            raise NotJsonText("a string has half of a surrogate pair, which UTF-8 cannot hold")
        if self._tree is _TOO_DEEP:
            scan(self._text)


def decoded(text: bytes) -> str:
    """Raises: NotJsonText: It is not UTF-8, or begins with a byte order mark."""
    if text.startswith(_BYTE_ORDER_MARK):
        raise NotJsonText("it begins with a byte order mark")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise NotJsonText(f"it is not UTF-8, at byte {error.start + 1}") from None


def _integer(text: str) -> int | orjson.Fragment:
    return int(text) if len(text) <= _SMALL_INTEGER_CHARACTERS_MAX and text != "-0" else orjson.Fragment(text)


def _refuse_constant(name: str) -> NoReturn:
    raise NotJsonText(f"{name} is not a number of JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=orjson.Fragment, parse_constant=_refuse_constant)


def _find(value: Any, path: Sequence[str]) -> Any:
    for token in path:
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and INDEX.fullmatch(token):
            value = value[index] if (index := int(token)) < len(value) else None
        else:
            return None
    return value


def _is_exact(value: Any) -> bool:
    """Whether orjson parses only one text as this value, apart from escapes; but -0 is 0 to it."""
    kind = value.__class__
    return kind is str or kind is bool or (kind is int and value != 0)


def _without_whitespace(text: bytes) -> bytes:
    return text.translate(None, _WHITESPACE)


def _has_line_breaks(text: bytes) -> bool:
    """Whether there are line breaks, which JSON has only between tokens."""
    return b"\n" in text or b"\r" in text
