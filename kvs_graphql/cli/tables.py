"""What the fields of a table take and show, as far as the commands need to know it: a service's types say it."""

import json
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    build_client_schema,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from kvs_graphql.cli.fields import field_name
from kvs_graphql.cli.selections import Selection, selection_of
from kvs_graphql.client import Client
from kvs_graphql.errors import BadInput, BadKey

_TEXTS = frozenset(
    {"String", "ID", "Int64", "Decimal", "Base64", "Date", "Time", "DateTime", "LocalDateTime", "UUID", "Duration"}
)
"""Scalars that are written as strings, so that a command line needs no quotes around them."""
_COMPARABLE = frozenset({"String", "ID", "Int", "Int64"})
"""Scalars whose values are equal exactly if their texts are."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a table's fields: a key, or a value."""

    kind: str
    """Its type, as a document has it."""
    is_text: bool = True
    """Whether text is the value itself, and not JSON."""
    is_comparable: bool = True

    def of_text(self, text: str) -> Any:
        """The value that a command line or a line of CSV means. Raises: BadInput: It is not JSON."""
        return text if self.is_text else self.of_json(text)

    def of_json(self, text: str | bytes) -> Any:
        """The value of a JSON text. Raises: BadInput: It is not JSON."""
        try:
            return json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise BadInput(f"not JSON, which {self.kind.rstrip('!')} takes: {_start(text)}") from None

    def order_of(self, value: Any) -> str:
        """A text that equal values have in common; others may have it, too."""
        return str(value) if self.is_comparable else ""


TEXT = Argument("String!")
_UNKNOWN = Argument("JSON!", is_text=False, is_comparable=False)
"""What a table without mutations would take. The service refuses it."""


@dataclass(frozen=True, slots=True)
class TableFields:
    """How a table's keys and values are written and shown. Without a schema, both are text."""

    name: str | None
    key: Argument = TEXT
    shown_key: Selection | None = None
    """The typed key; None where it is text."""
    data: Argument | None = None
    """The typed value of mutations; None where it is text."""
    shown_data: Selection | None = None
    """The typed value; None where it is text."""
    takes_prefix: bool = True

    def key_of(self, text: str) -> Any:
        """The key that a command line names. Raises: BadKey: It is none."""
        try:
            return self.key.of_text(text)
        except BadInput as error:
            raise BadKey(f"The keys of this table are typed: {error}.") from None

    def value_of(self, text: str) -> Any:
        """The value that a command line gives. Raises: BadInput: It is none."""
        try:
            return self.value.of_text(text)
        except BadInput as error:
            raise BadInput(f"The values of this table are typed: {error}.") from None

    @property
    def value(self) -> Argument:
        """The argument of `set` that has the value."""
        return self.data or TEXT

    @property
    def value_name(self) -> str:
        """Its name, in mutations and in files."""
        return "value" if self.data is None else "data"


async def describe(client: Client, table: str | None) -> TableFields:
    """Ask the service for the fields of a table. One that does not exist counts as text: its fields will be refused.

    Raises:
        BadInput: No table is named, and those of the service have names.
        RemoteError: The service answered with an error.
        Unreachable: There was no answer.
    """
    entry = field_name("entry", table)
    entry = f"{entry[0].upper()}{entry[1:]}"
    answer = await client.execute(
        f'query Fields {{ __type(name: "{entry}") {{ fields {{ name }} }} '
        "__schema { queryType { fields { name } } } }"
    )
    names = {one["name"] for one in (answer["__type"] or {}).get("fields", ())}
    if table is None and not names:
        _refuse_named({one["name"] for one in answer["__schema"]["queryType"]["fields"]})
    if not names & {"data", "keyData"}:
        return TableFields(table)
    introspection = get_introspection_query(descriptions=False, one_of=True, type_depth=15)
    schema = build_client_schema(await client.execute(introspection))
    return _fields_of(schema, table, entry)


def _refuse_named(fields: set[str]) -> None:
    tables = sorted(name.removesuffix("Values") for name in fields if name.endswith("Values"))
    if tables:
        raise BadInput(f"The tables of this service have names: add --table with one of {', '.join(tables)}.")


def _fields_of(schema: GraphQLSchema, table: str | None, entry: str) -> TableFields:
    query, updates, shown = schema.query_type, schema.subscription_type, schema.type_map[entry]
    assert query is not None
    assert updates is not None
    assert isinstance(shown, GraphQLObjectType)
    key = query.fields[field_name("value", table)].args["key"].type
    key_data, data = shown.fields.get("keyData"), shown.fields.get("data")
    given, is_text = _data_argument(schema, table)
    return TableFields(
        table,
        _argument(key),
        None if key_data is None else selection_of(key_data.type, key),
        None if data is None or is_text else _UNKNOWN if given is None else _argument(given),
        None if data is None else selection_of(data.type, given),
        "prefix" in updates.fields[field_name("updates", table)].args,
    )


def _data_argument(schema: GraphQLSchema, table: str | None) -> tuple[Any, bool]:
    """The type of what `set` takes as `data`, None where it takes none; and whether it takes text instead."""
    mutation = None if schema.mutation_type is None else schema.mutation_type.fields.get(field_name("set", table))
    given = None if mutation is None else mutation.args.get("data")
    return None if given is None else given.type, mutation is not None and given is None


def _argument(kind: Any) -> Argument:
    name = get_named_type(kind).name
    is_one = not is_list_type(get_nullable_type(kind)) and not isinstance(get_named_type(kind), GraphQLInputObjectType)
    is_text = name in _TEXTS or isinstance(get_named_type(kind), GraphQLEnumType)
    return Argument(str(kind), is_one and is_text, is_one and name in _COMPARABLE)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _start(text: str | bytes) -> str:
    shown = text if isinstance(text, str) else text.decode(errors="replace")
    return shown if len(shown) <= 40 else f"{shown[:40]}…"
