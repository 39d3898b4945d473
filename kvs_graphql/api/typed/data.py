"""Typed data as fields of a table's types, and as an argument of its mutations."""

from collections.abc import Callable
from inspect import signature
from typing import Any, cast

import strawberry
from strawberry.scalars import JSON
from strawberry.types.field import StrawberryField

from kvs_graphql.api.costs import Cost
from kvs_graphql.api.fields import IN_TURNS
from kvs_graphql.api.json_values import JsonValues
from kvs_graphql.api.typed.inputs import InputTypes
from kvs_graphql.api.typed.outputs import OutputTypes
from kvs_graphql.api.typed.values import TypedValues
from kvs_graphql.errors import BadInput
from kvs_graphql.formats import DoesNotFit, TableFormats
from kvs_graphql.records import Record


class Data:
    """The typed data of a table's values."""

    def __init__(self, formats: TableFormats, outputs: OutputTypes, inputs: InputTypes, values: TypedValues) -> None:
        assert formats.value is not None
        self.values = values
        self._format = formats.value
        self._inputs = inputs
        self._shown = outputs.of(self._format.shape)
        self._convert = outputs.converter(self._format.shape)

    def field(self) -> StrawberryField:
        """The field `data` of objects that have a `record`."""
        values, convert = self.values, self._convert

        def data(self: Any) -> Any:
            return values.shown(self.record, convert)

        made: StrawberryField = strawberry.field(
            resolver=data,
            graphql_type=self._shown | None,
            description="The value as its schema says; null with the error UNDECODABLE where it cannot be decoded.",
            directives=[Cost(weight="5")],
            metadata=DECODES,
        )
        return made

    def adapted(self, resolver: Callable[..., Any]) -> Callable[..., Any]:
        """A resolver with a parameter `data`, which gets the type that it needs."""
        before = signature(resolver)
        kind = self._inputs.of(self._format.shape).resolve()
        parameters = [one.replace(annotation=kind) if one.name == "data" else one for one in before.parameters.values()]
        resolver.__signature__ = before.replace(parameters=parameters)  # type: ignore[attr-defined]
        return resolver

    def encode(self, given: Any) -> bytes:
        """The bytes of a value that was given as an argument.

        Raises:
            BadInput: The schema has no room for it. The message names the path.
        """
        try:
            return self._format.encode(self._inputs.value(self._format.shape, given))
        except DoesNotFit as error:
            raise BadInput(f"The value does not fit its schema: data.{error}.") from None


def json_field(values: JsonValues) -> StrawberryField:
    """The field `json` of objects that have a `record`, where that is not the record's value itself."""

    def json(self: Any, pointer: str = "") -> JSON | None:
        return _part(values, self.record, pointer)

    made: Any = strawberry.field(
        resolver=json,
        description="The decoded value as JSON, or the part of it at a JSON Pointer (RFC 6901); null if there is "
        "nothing.",
        directives=[Cost(weight="5")],
        metadata=IN_TURNS,
    )
    return cast("StrawberryField", made)


def row_field(values: JsonValues) -> StrawberryField:
    """The field `data` of objects that have a `record`, where it has no schema and is JSON inside an envelope."""

    def data(self: Any) -> JSON | None:
        return _part(values, self.record, "")

    made: Any = strawberry.field(
        resolver=data,
        description="The row in the envelope, after the change; null with the error UNDECODABLE where the value is no "
        "envelope.",
        directives=[Cost(weight="5")],
        metadata=IN_TURNS,
    )
    return cast("StrawberryField", made)


def _part(values: JsonValues, record: Record, pointer: str) -> JSON | None:
    return None if record.value is None else cast("JSON | None", values.part(record, pointer))


DECODES = {"decodes": True, **IN_TURNS}
"""What tells the executor that a field's value is decoded from a record's bytes, whatever its type."""
