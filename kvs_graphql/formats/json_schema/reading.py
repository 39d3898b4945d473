"""How the parts of parsed JSON are read, and checked on the way.

A schema is not validated as a whole when values are read: only the part that is asked for must have its shape.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

import orjson

from kvs_graphql.formats.errors import Undecodable
from kvs_graphql.formats.json_schema.kinds import INT64_MAX, INT64_MIN, INT_MAX, INT_MIN
from kvs_graphql.formats.json_schema.model import Entries, Items, Leaf, Model, Record, Union, Use, Words
from kvs_graphql.formats.json_schema.text import Number, dumped
from kvs_graphql.formats.shapes import ScalarKind

Read: TypeAlias = Callable[[Any], Any]

_INTEGERS = {ScalarKind.INT: (INT_MIN, INT_MAX), ScalarKind.INT64: (INT64_MIN, INT64_MAX)}
_EXACT_INTEGER_MAX = 2**53
_WORDS = {bool: "true or false", str: "a string", dict: "an object", list: "a list"}
_DATE = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
_ZONE = r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
_FORMATS = {
    ScalarKind.DATETIME: (re.compile(f"{_DATE}[Tt ]{_TIME}{_ZONE}", re.ASCII), "a date and time with an offset"),
    ScalarKind.DATE: (re.compile(_DATE, re.ASCII), "a date"),
    ScalarKind.TIME: (re.compile(f"{_TIME}{_ZONE}?", re.ASCII), "a time"),
    ScalarKind.UUID: (re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), "a UUID"),
    ScalarKind.DURATION: (
        re.compile(
            r"P(?=.)(?:\d+W|(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?)", re.ASCII
        ),
        "a duration",
    ),
}


def of_property(key: str, use: Use, nullable: bool, where: str) -> Read:
    """The value of a property; None where it is null or left out."""
    if (kind := _class_of(use.model)) is not None:
        return _of_class(key, kind, nullable, where)
    if isinstance(use.model, Leaf) and (bounds := _INTEGERS.get(use.model.kind)) is not None:
        return _of_integer(key, *bounds, nullable, where)
    check = checked(use.model, where)

    def read(value: Any) -> Any:
        part = value.get(key)
        if part is not None:
            return check(part)
        if nullable:
            return None
        raise Undecodable(f"{where} is missing")

    return read


def sure(key: str, use: Use) -> tuple[str, type] | None:
    """The class whose values a property has without further checks; None where there is none."""
    is_float = isinstance(use.model, Leaf) and use.model.kind is ScalarKind.FLOAT
    kind = float if is_float else _class_of(use.model)
    return None if kind is None else (key, kind)


def _of_class(key: str, kind: type, nullable: bool, where: str) -> Read:
    def read(value: Any) -> Any:
        part = value.get(key)
        if part.__class__ is kind or (part is None and nullable):
            return part
        raise _wrong(part, where, _WORDS[kind])

    return read


def _of_integer(key: str, low: int, high: int, nullable: bool, where: str) -> Read:
    def read(value: Any) -> Any:
        part = value.get(key)
        if part.__class__ is int and low <= part <= high:
            return part
        if part is None:
            return None if nullable else _refuse(part, where, "")
        return _int(part, low, high, where)

    return read


def items(use: Use, where: str) -> Read:
    """The items of a list."""
    check = _or_null(use, where)
    return lambda value: [check(item) for item in value]


def entries(use: Use, where: str) -> Read:
    """The entries of an object with any names, in their own order."""
    check = _or_null(use, where)
    return lambda value: [(key, check(part)) for key, part in value.items()]


def _or_null(use: Use, where: str) -> Read:
    check = checked(use.model, where)
    if use.nullable:
        return lambda part: None if part is None else check(part)
    return check


def checked(model: Model, where: str) -> Read:
    """What checks a value that is present."""
    if (kind := _class_of(model)) is not None:
        return lambda value: value if value.__class__ is kind else _refuse(value, where, _WORDS[kind])
    assert isinstance(model, Leaf)
    match model.kind:
        case ScalarKind.INT | ScalarKind.INT64:
            low, high = _INTEGERS[model.kind]
            return lambda value: _int(value, low, high, where)
        case ScalarKind.FLOAT:
            return lambda value: value if value.__class__ is float else _float(value, where)
        case ScalarKind.JSON:
            return lambda value: value
    pattern, word = _FORMATS[model.kind]
    matches = pattern.fullmatch
    return lambda value: value if value.__class__ is str and matches(value) else _refuse(value, where, word)


def _class_of(model: Model) -> type | None:
    """The class that says it all of a value."""
    match model:
        case Leaf(kind=ScalarKind.STRING) | Words():
            return str
        case Leaf(kind=ScalarKind.BOOLEAN):
            return bool
        case Record() | Entries() | Union():
            return dict
        case Items():
            return list
    return None


def _int(value: Any, low: int, high: int, where: str) -> int:
    if value.__class__ is not int:
        value = _whole(value)
    if value is not None and low <= value <= high:
        return int(value)
    raise Undecodable(f"{where} is not an integer from {low} to {high}")


def _whole(value: Any) -> int | None:
    """A number that was written with a fraction or an exponent, as an integer if it surely is one."""
    if isinstance(value, Number):
        try:
            exact = Decimal(value.text)
        except ArithmeticError:
            return None
        return int(exact) if exact.adjusted() < 20 and exact == exact.to_integral_value() else None
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_INTEGER_MAX
    return int(value) if is_whole else None


def _float(value: Any, where: str) -> float | int:
    """A number. The nearest double stands for it, as Float is defined."""
    if value.__class__ is int:
        return value
    double = float(value.text) if isinstance(value, Number) else None
    if double is None:
        raise _wrong(value, where, "a number")
    if abs(double) == float("inf"):
        raise Undecodable(f"{where} is a number that no double is near to")
    return double


def _refuse(value: Any, where: str, word: str) -> Any:
    raise _wrong(value, where, word)


def _wrong(value: Any, where: str, word: str) -> Undecodable:
    return Undecodable(f"{where} is missing" if value is None else f"{where} is not {word}")


def show_json(value: Any) -> orjson.Fragment:
    """Any value as it was written."""
    return orjson.Fragment(dumped(value))
