"""Functions from an object to a dictionary of its fields."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Show = Callable[[Any], Any]
"""From an object to its form in JSON."""


class Shown(NamedTuple):
    """A field of a dictionary."""

    name: str
    """As the answer has it."""
    read: Show
    """From the object to the value of the field."""
    shows: Sequence[Show] = ()
    """What makes the value's form in JSON, one after the other."""
    skips_null: bool = False
    """Whether a value that is null stays null, and is not shown."""
    sure: tuple[str, type] | None = None
    """A key of the object and a class: what has exactly this class is what `read` gives."""


def display(fields: Sequence[Shown]) -> Show:
    """From an object to the dictionary of its fields."""
    return _dictionary([(field.name, _shown(field)) for field in fields])


def _shown(field: Shown) -> Show:
    """From the object to the form of one field's value, with as few calls as there can be."""
    read = field.read if field.sure is None else _read_surely(field.read, *field.sure)
    if not field.shows:
        return read
    show = field.shows[0]
    for following in field.shows[1:]:
        show = _composed(show, following)
    return _composed_unless_null(read, show) if field.skips_null else _composed(read, show)


def _read_surely(read: Show, key: str, kind: type) -> Show:
    return lambda v: part if (part := v.get(key)).__class__ is kind else read(v)


def _composed(read: Show, show: Show) -> Show:
    return lambda v: show(read(v))


def _composed_unless_null(read: Show, show: Show) -> Show:
    return lambda v: None if (part := read(v)) is None else show(part)


def _dictionary(fields: Sequence[tuple[str, Show]]) -> Show:
    """A display is a third faster than a loop, so there is one for each small number of fields."""
    if len(fields) > len(_DISPLAYS):
        first, rest = _dictionary(fields[: len(_DISPLAYS)]), _dictionary(fields[len(_DISPLAYS) :])
        return lambda v: first(v) | rest(v)
    if not fields:
        # All that is selected is of other types.
        return lambda _: {}
    return _DISPLAYS[len(fields) - 1](*(part for field in fields for part in field))


def _one(a: str, fa: Show) -> Show:
    return lambda v: {a: fa(v)}


def _two(a: str, fa: Show, b: str, fb: Show) -> Show:
    return lambda v: {a: fa(v), b: fb(v)}


def _three(a: str, fa: Show, b: str, fb: Show, c: str, fc: Show) -> Show:
    return lambda v: {a: fa(v), b: fb(v), c: fc(v)}


def _four(*parts: Any) -> Show:
    a, fa, b, fb, c, fc, d, fd = parts
    return lambda v: {a: fa(v), b: fb(v), c: fc(v), d: fd(v)}


def _five(*parts: Any) -> Show:
    a, fa, b, fb, c, fc, d, fd, e, fe = parts
    return lambda v: {a: fa(v), b: fb(v), c: fc(v), d: fd(v), e: fe(v)}


def _six(*parts: Any) -> Show:
    a, fa, b, fb, c, fc, d, fd, e, fe, f, ff = parts
    return lambda v: {a: fa(v), b: fb(v), c: fc(v), d: fd(v), e: fe(v), f: ff(v)}


_DISPLAYS: tuple[Callable[..., Show], ...] = (_one, _two, _three, _four, _five, _six)
