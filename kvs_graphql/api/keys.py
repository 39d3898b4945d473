"""Keys as arguments: text in an encoding, or typed, where a table's keys have a format of their own."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from itertools import islice
from typing import Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON
from strawberry.types.field import StrawberryField

from kvs_graphql.api.context import Operation
from kvs_graphql.api.encodings import Encoding
from kvs_graphql.api.fields import IN_TURNS
from kvs_graphql.api.json_values import JsonText
from kvs_graphql.api.typed.inputs import InputTypes
from kvs_graphql.api.typed.outputs import OutputTypes
from kvs_graphql.api.typed.values import TypedValues
from kvs_graphql.errors import BadKey
from kvs_graphql.formats import DoesNotFit, KeyFormat, Scalar, ScalarKind
from kvs_graphql.records import Record

_OF_TEXT = frozenset({"key_encoding", "prefix"})
"""Parameters that only make sense where keys are text."""


@dataclass(frozen=True, slots=True)
class Keys:
    """How the keys of a table are written in requests, and shown."""

    of_argument: Callable[[Operation, Any, Encoding], bytes] = Operation.key
    """The bytes of an argument. Raises: BadKey: It is no key."""
    adapted: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda resolver: resolver
    """A resolver of a root field, with the parameters that these keys need."""
    encodings: Callable[[Operation, Any], list[bytes]] | None = None
    """All the bytes that an argument may mean; None where these are one. The first are those of a new key."""
    show: Callable[[Record], Any] | None = None
    """A record's key as what `keyData` shows; None where there is no such field."""
    shown: Any = None
    """The type of `keyData`."""

    def wanted(self, context: Operation, keys: Iterable[Any], encoding: Encoding) -> "Wanted":
        """The keys that arguments name, each in all of its encodings. Raises: BadKey: One is no key."""
        encodings = self.encodings
        if encodings is None:
            return Wanted([self.of_argument(context, key, encoding)] for key in keys)
        return Wanted(encodings(context, key) for key in keys)

    def field(self, record_of: Callable[[Any], Record | None]) -> StrawberryField:
        """The field `keyData` of objects whose record `record_of` gives."""
        show = self.show
        assert show is not None

        def key_data(self: Any) -> Any:
            record = record_of(self)
            return None if record is None else show(record)

        made: StrawberryField = strawberry.field(
            resolver=key_data,
            graphql_type=self.shown | None,
            description="The key; null with the error UNDECODABLE where its bytes are not what its format says.",
            metadata=IN_TURNS,
        )
        return made


class Wanted:
    """The keys that a request names, each in all of its encodings."""

    def __init__(self, keys: Iterable[list[bytes]]) -> None:
        self._groups = list(keys)
        self.all = [key for group in self._groups for key in group]

    def latest(self, found: Sequence[Record | None]) -> list[Record | None]:
        """Of what was found of `all`, the latest record of each key that was named."""
        records, latest = iter(found), list[Record | None]()
        for group in self._groups:
            latest.append(latest_of(record for record in islice(records, len(group)) if record is not None))
        return latest


def latest_of(records: Iterable[Record]) -> Record | None:
    """The record that is shown where a key has several; None of none."""
    return max(records, key=_age, default=None)


def _age(record: Record) -> tuple[int, int, int]:
    timestamp = record.timestamp
    return -1 if timestamp is None else timestamp, record.partition, record.offset


TEXT_KEYS = Keys()


def json_keys(json_of: Callable[[bytes], bytes]) -> Keys:
    """Keys that are text in requests, and JSON in `keyData`."""
    return Keys(show=lambda record: JsonText(json_of(record.key)), shown=JSON)


def typed_keys(form: KeyFormat, outputs: OutputTypes, inputs: InputTypes, bytes_max: int) -> Keys:
    """Keys with a format of their own, which are decoded up to that many bytes."""
    shape = form.shape
    convert = outputs.converter(shape)
    is_uuid = isinstance(shape, Scalar) and shape.kind is ScalarKind.UUID
    argument = strawberry.ID if is_uuid else inputs.of(shape).resolve()

    def given(key: Any) -> Any:
        try:
            return UUID(key) if is_uuid else inputs.value(shape, key)
        except ValueError:
            raise BadKey("That is not a key of this table: it must be a UUID.") from None

    def of_argument(context: Operation, key: Any, _: Encoding) -> bytes:
        try:
            return context.catalog.limits.key(form.encode(given(key)))
        except DoesNotFit as error:
            raise BadKey(f"That is not a key of this table: {error}.") from None

    def encodings(context: Operation, key: Any) -> list[bytes]:
        try:
            return [context.catalog.limits.key(one) for one in form.encodings(given(key))]
        except DoesNotFit as error:
            raise BadKey(f"That is not a key of this table: {error}.") from None

    def adapted(resolver: Callable[..., Any]) -> Callable[..., Any]:
        before = signature(resolver)
        parameters = [_typed(one, argument) for one in before.parameters.values() if one.name not in _OF_TEXT]
        resolver.__signature__ = before.replace(parameters=parameters)  # type: ignore[attr-defined]
        return resolver

    values = TypedValues(form, bytes_max, of_keys=True)

    def show(record: Record) -> Any:
        return values.shown(record, convert)

    return Keys(of_argument, adapted, encodings if form.is_framed else None, show, outputs.of(shape))


def _typed(parameter: Parameter, kind: Any) -> Parameter:
    if parameter.name == "key":
        return parameter.replace(annotation=kind)
    if parameter.name == "keys":
        optional = parameter.default is not Parameter.empty
        return parameter.replace(annotation=list[kind] | None if optional else list[kind])
    return parameter
