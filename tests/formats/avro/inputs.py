"""What GraphQL's inputs would give for a value that GraphQL shows."""

from base64 import b64decode
from decimal import Decimal
from typing import Any
from uuid import UUID

from kvs_graphql.formats.shapes import Choice, Enumeration, Many, Scalar, ScalarKind, Shape, Struct

_PARSE: dict[ScalarKind, Any] = {
    ScalarKind.INT64: int,
    ScalarKind.BASE64: b64decode,
    ScalarKind.DECIMAL: Decimal,
    ScalarKind.UUID: UUID,
}


def given(shape: Shape, shown: Any) -> Any:
    """A value as a codec encodes it."""
    if shown is None:
        return None
    match shape:
        case Scalar():
            return _PARSE.get(shape.kind, lambda value: value)(shown)
        case Enumeration():
            return shown
        case Many():
            return [given(shape.item, item) for item in shown]
        case Struct():
            return {field.name: given(field.shape, shown[field.name]) for field in shape.fields}
        case Choice():
            member = next(member for member in shape.members if member.struct.name == shown["__typename"])
            inner = given(member.struct, shown)
            return {member.name: inner["value"] if member.is_wrapper else inner}
