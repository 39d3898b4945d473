"""The commands that write one key."""

from typing import Any

from kvs_graphql.cli.entries import key_selection, shown_key
from kvs_graphql.cli.fields import root_field
from kvs_graphql.cli.output import print_json, print_line
from kvs_graphql.cli.tables import TableFields, describe
from kvs_graphql.client import connect

_WRITTEN = "partition offset timestamp cursor"


async def set_value(url: str, key: str, value: str, table: str | None, *, as_json: bool) -> None:
    """Write a value and print its position in Kafka."""
    async with connect(url) as client:
        fields = await describe(client, table)
        given, name = fields.value, fields.value_name
        document = (
            f"mutation Set($key: {fields.key.kind}, $value: {given.kind}) "
            f"{{ {root_field('set', table)}(key: $key, {name}: $value) {{ {key_selection(fields)} {_WRITTEN} }} }}"
        )
        variables = {"key": fields.key_of(key), "value": fields.value_of(value)}
        _show((await client.execute(document, variables))["set"], fields, as_json=as_json)


async def delete(url: str, key: str, table: str | None, *, as_json: bool) -> None:
    """Delete a key and print the position of its tombstone in Kafka."""
    async with connect(url) as client:
        fields = await describe(client, table)
        document = (
            f"mutation Delete($key: {fields.key.kind}) "
            f"{{ {root_field('delete', table)}(key: $key) {{ {key_selection(fields)} {_WRITTEN} }} }}"
        )
        _show((await client.execute(document, {"key": fields.key_of(key)}))["delete"], fields, as_json=as_json)


def _show(written: dict[str, Any], fields: TableFields, *, as_json: bool) -> None:
    if as_json:
        print_json({**shown_key(written, fields), **{name: written[name] for name in _WRITTEN.split()}})
    else:
        print_line("partition {partition}, offset {offset}, cursor {cursor}".format(**written))
