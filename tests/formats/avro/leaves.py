"""Random values of the types of Avro that have no parts, with what they are in JSON and in GraphQL."""

import datetime as dt
import struct
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.formats.avro.schemas import logical
from tests.formats.numbers import integers

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MOMENTS = st.datetimes(timezones=st.just(dt.UTC))
OF_64_BITS_IN_NANOS = MOMENTS.filter(lambda one: 1678 <= one.year < 2262)
LOCAL_MOMENTS = st.datetimes()
NANOS = st.integers(0, 999_999_999)


class Sample(NamedTuple):
    """A value as fastavro takes it, as JSON, and as `data` shows it."""

    value: Any
    json: Any
    shown: Any


Samples = st.SearchStrategy[Sample]


def same(value: Any) -> Sample:
    """A value that is the same everywhere."""
    return Sample(value, value, value)


def in_base64(value: bytes) -> Sample:
    text = b64encode(value).decode()
    return Sample(value, text, text)


def as_text(text_of: Callable[[Any], str]) -> Callable[[Any], Sample]:
    """What makes samples of values that are text in JSON and in GraphQL."""
    return lambda value: Sample(value, text_of(value), text_of(value))


def decimals(scale: int, digits: int) -> Samples:
    """Decimal numbers, of which many have as many digits as there can be."""
    limit = int(10**digits) - 1

    def decimal(number: int) -> Decimal:
        return Decimal((number < 0, tuple(map(int, str(abs(number)))), -scale))

    return (integers(-limit, limit) | st.integers(-9, 9)).map(decimal).map(as_text("{:f}".format))


def moment(parts: tuple[dt.datetime, int]) -> Sample:
    """A moment in nanoseconds, which Python's times do not have."""
    second, nanos = parts[0].replace(microsecond=0), parts[1]
    text = f"{second.isoformat().removesuffix('+00:00')}.{nanos:09}Z"
    return Sample((second - EPOCH) // dt.timedelta(seconds=1) * 10**9 + nanos, text, text)


def duration(parts: tuple[int, int, int]) -> Sample:
    """A duration of months, days and milliseconds, of which none is zero."""
    months, days, milliseconds = parts
    seconds, fraction = divmod(milliseconds, 1000)
    text = f"P{months}M{days}DT{seconds}{f'.{fraction:03}' if fraction else ''}S"
    return Sample(struct.pack("<III", *parts), text, text)


def in_millis(moment: dt.datetime | dt.time) -> Any:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso(timespec: str, zone: str = "") -> Callable[[Any], Sample]:
    return as_text(lambda value: value.isoformat(timespec=timespec).removesuffix("+00:00") + zone)


PRIMITIVES: dict[str, Samples] = {
    "null": st.none().map(same),
    "boolean": st.booleans().map(same),
    "int": integers(-(2**31), 2**31 - 1).map(same),
    "long": integers(-(2**63), 2**63 - 1).map(lambda number: Sample(number, number, str(number))),
    "float": st.floats(width=32, allow_nan=False, allow_infinity=False).map(same),
    "double": st.floats(allow_nan=False, allow_infinity=False).map(same),
    "bytes": st.binary(max_size=5).map(in_base64),
    "string": TEXT.map(same),
}
MEANINGS: dict[str, tuple[dict[str, Any], Samples]] = {
    "decimal": (logical("bytes", "decimal", precision=30, scale=4), decimals(4, 30)),
    "date": (logical("int", "date"), st.dates().map(as_text(dt.date.isoformat))),
    "time-millis": (logical("int", "time-millis"), st.times().map(in_millis).map(iso("milliseconds"))),
    "time-micros": (logical("long", "time-micros"), st.times().map(iso("microseconds"))),
    "timestamp-millis": (logical("long", "timestamp-millis"), MOMENTS.map(in_millis).map(iso("milliseconds", "Z"))),
    "timestamp-micros": (logical("long", "timestamp-micros"), MOMENTS.map(iso("microseconds", "Z"))),
    "local-timestamp-millis": (
        logical("long", "local-timestamp-millis"),
        LOCAL_MOMENTS.map(in_millis).map(iso("milliseconds")),
    ),
    "local-timestamp-micros": (logical("long", "local-timestamp-micros"), LOCAL_MOMENTS.map(iso("microseconds"))),
    "timestamp-nanos": (
        logical("long", "timestamp-nanos"),
        st.tuples(OF_64_BITS_IN_NANOS, NANOS).map(moment),
    ),
    "uuid": (logical("string", "uuid"), st.uuids().map(as_text(str))),
}
"""By the logical type: a schema, and values. None of these types has a name."""
NAMED: dict[str, tuple[dict[str, Any], Samples]] = {
    "decimal of fixed": (
        logical("fixed", "decimal", name="Fixed", size=9, precision=20, scale=20),
        decimals(20, 20),
    ),
    "duration": (
        logical("fixed", "duration", name="Duration", size=12),
        st.tuples(*[st.integers(1, 2**32 - 1)] * 3).map(duration),
    ),
    "symbol": (
        {"type": "enum", "name": "Symbol", "symbols": ["A", "B", "true", "_x"]},
        st.sampled_from([same("A"), same("B"), Sample("true", "true", "true_"), same("_x")]),
    ),
    "fixed bytes": (
        {"type": "fixed", "name": "Bytes", "size": 6},
        st.binary(min_size=6, max_size=6).map(in_base64),
    ),
}
"""The same of types that have names."""
