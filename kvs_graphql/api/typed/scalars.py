"""The scalars of typed data. Their values are texts or numbers, as JSON has them, before they get here."""

import re
from base64 import b64decode
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal as ExactDecimal
from decimal import InvalidOperation
from typing import Any, NewType
from uuid import UUID

import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from kvs_graphql.formats.shapes import ScalarKind

Int64 = NewType("Int64", int)
Decimal = NewType("Decimal", str)
Base64 = NewType("Base64", str)
Date = NewType("Date", str)
Time = NewType("Time", str)
LocalDateTime = NewType("LocalDateTime", str)
Duration = NewType("Duration", str)
Uuid = NewType("Uuid", str)

_INTEGER = re.compile(r"-?\d{1,20}")


def _as_it_is(value: Any) -> Any:
    return value


def _int64(value: object) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    # Signed or not: the codec says which of them a field takes.
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64:
        return value
    raise ValueError("Int64 must be a 64-bit integer, as a string or a number")


def _decimal(value: object) -> ExactDecimal:
    try:
        if isinstance(value, str | int) and not isinstance(value, bool):
            found = ExactDecimal(value)
            if found.is_finite():
                return found
    except InvalidOperation:
        pass
    raise ValueError('Decimal must be a string such as "12.50"')


def _base64(value: object) -> bytes:
    if isinstance(value, str):
        return b64decode(value, validate=True)
    raise ValueError("Base64 must be a string")


def _uuid(value: object) -> UUID:
    if isinstance(value, str):
        return UUID(value)
    raise ValueError("UUID must be a string")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("It must be a string")


def _moment(value: Any) -> Any:
    """Records have times of Kafka; typed data has text, which may be finer than Python's times."""
    return value.isoformat() if isinstance(value, datetime) else value


def _scalar(
    name: str, description: str, parse: Callable[[object], Any], serialize: Callable[[Any], Any] = _as_it_is
) -> ScalarDefinition:
    return strawberry.scalar(name=name, description=description, serialize=serialize, parse_value=parse)


TYPED_SCALARS: dict[object, ScalarDefinition] = {
    Int64: _scalar(
        "Int64", "A 64-bit integer, with a sign or without: a string of digits; as input, a number, too.", _int64
    ),
    Decimal: _scalar("Decimal", "A decimal number with all its digits, as a string.", _decimal),
    Base64: _scalar("Base64", "Bytes, in base64.", _base64),
    Date: _scalar("Date", "A date, such as 2026-02-28.", _text),
    Time: _scalar("Time", "A time of day, such as 23:59:59.999.", _text),
    datetime: _scalar("DateTime", "Date with time (isoformat)", _text, _moment),
    LocalDateTime: _scalar("LocalDateTime", "A date and time without a zone, such as 2026-02-28T23:59:59.", _text),
    Duration: _scalar("Duration", "A span of time in ISO 8601, such as P1M2DT3.5S.", _text),
    Uuid: _scalar("UUID", "A UUID, such as 123e4567-e89b-12d3-a456-426614174000.", _uuid),
}

SCALAR_TYPES: dict[ScalarKind, Any] = {
    ScalarKind.BOOLEAN: bool,
    ScalarKind.INT: int,
    ScalarKind.INT64: Int64,
    ScalarKind.FLOAT: float,
    ScalarKind.STRING: str,
    ScalarKind.BASE64: Base64,
    ScalarKind.DECIMAL: Decimal,
    ScalarKind.DATE: Date,
    ScalarKind.TIME: Time,
    ScalarKind.DATETIME: datetime,
    ScalarKind.LOCAL_DATETIME: LocalDateTime,
    ScalarKind.UUID: Uuid,
    ScalarKind.DURATION: Duration,
    ScalarKind.JSON: JSON,
}
