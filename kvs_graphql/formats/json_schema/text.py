"""JSON texts as values that keep numbers exact.

orjson's values are quick, and exact where they encode to the same text. Elsewhere numbers that a double or 64 bits do
not hold are kept as their texts.
"""

import json
from collections.abc import Iterable
from typing import Any

import orjson

from kvs_graphql.exact_json import ExactJson, NotJsonText
from kvs_graphql.formats.errors import Undecodable, one_line
from kvs_graphql.formats.limits import FormatLimits

_CONTAINERS = (dict, list)
_WHITESPACE = b" \t\r\n"
_SMALL_INTEGER_CHARACTERS_MAX = 18


class Number:
    """A number as it was written."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Document(dict[str, Any]):
    """An object, with the text that it was parsed from."""

    __slots__ = ("text",)
    text: bytes


class Root:
    """Any other value, with the text that it was parsed from."""

    __slots__ = ("text", "value")

    def __init__(self, value: Any, text: bytes) -> None:
        self.value = value
        self.text = text


class Misshapen(Document):
    """A value that cannot be read by its schema. Only its text can be shown."""

    __slots__ = ("reason",)
    reason: str

    def get(self, *_: Any) -> Any:
        """Raise what is wrong, whatever property is asked for."""
        raise Undecodable(self.reason)

    @property
    def value(self) -> Any:
        """Raise what is wrong."""
        raise Undecodable(self.reason)


def misshapen(text: bytes, reason: str) -> Misshapen:
    """A value of which only the text can be shown, and why."""
    document = Misshapen()
    document.text, document.reason = text, reason
    return document


def parsed(text: bytes, is_exact: bool) -> Any:
    """The value of a text.

    Args:
        text: Any bytes.
        is_exact: Whether all numbers must be exact, and not only integers of 64 bits.

    Raises:
        Undecodable: The bytes are not JSON.
        RecursionError: It is nested too deep.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            ExactJson(text)
        except NotJsonText as error:
            raise Undecodable(one_line(f"it is not JSON: {error}")) from None
        return _DECODER.decode(text.decode())
    return _exact(value, text) if is_exact else value


def _exact(value: Any, text: bytes) -> Any:
    try:
        encoded = orjson.dumps(value)
    except orjson.JSONEncodeError:
        encoded = b""
    if encoded == text or encoded.translate(None, _WHITESPACE) == text.translate(None, _WHITESPACE):
        return value
    return _DECODER.decode(text.decode())


def dumped(value: Any) -> bytes:
    """A value as text, with numbers as they were written.

    Raises:
        Undecodable: It is nested deeper than orjson writes.
    """
    try:
        return orjson.dumps(value, default=_written)
    except orjson.JSONEncodeError as error:
        raise Undecodable(one_line(error)) from None


def one_line_text(text: bytes) -> bytes:
    """A text without line breaks, which JSON has only between its tokens."""
    return text.translate(None, b"\r\n") if b"\n" in text or b"\r" in text else text


def may_be_too_large(text: bytes, limits: FormatLimits) -> bool:
    """Whether a text leaves a doubt about its value. Each item takes two bytes of the text at least."""
    return len(text) > 2 * limits.items_max or text.count(b"[") + text.count(b"{") > limits.depth_max


def too_large(value: Any, limits: FormatLimits) -> str | None:
    """What a value has too many of; None if nothing."""
    level = [value] if value.__class__ in _CONTAINERS else []
    items = 0
    for _ in range(limits.depth_max):
        items += sum(map(len, level))
        if items > limits.items_max:
            return f"it has more than {limits.items_max:,} items"
        level = [part for one in level for part in _parts(one) if part.__class__ in _CONTAINERS]
        if not level:
            return None
    return f"it is nested deeper than {limits.depth_max}"


def _parts(container: Any) -> Iterable[Any]:
    return container.values() if container.__class__ is dict else container


def _integer(text: str) -> int | Number:
    return int(text) if len(text) <= _SMALL_INTEGER_CHARACTERS_MAX and text != "-0" else Number(text)


def _written(value: object) -> orjson.Fragment:
    if isinstance(value, Number):
        return orjson.Fragment(value.text)
    raise TypeError


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=Number)
