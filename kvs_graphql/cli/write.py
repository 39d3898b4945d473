"""The commands that write one key."""

from typing import Any

from kvs_graphql.cli.fields import root_field
from kvs_graphql.cli.output import print_json, print_line
from kvs_graphql.client import connect

_WRITTEN = "key partition offset timestamp cursor"


async def set_value(url: str, key: str, value: str, table: str | None, *, as_json: bool) -> None:
    """Write a value and print its position in Kafka."""
    field = f"{root_field('set', table)}(key: $key, value: $value) {{ {_WRITTEN} }}"
    document = f"mutation Set($key: String!, $value: String!) {{ {field} }}"
    async with connect(url) as client:
        _show((await client.execute(document, {"key": key, "value": value}))["set"], as_json=as_json)


async def delete(url: str, key: str, table: str | None, *, as_json: bool) -> None:
    """Delete a key and print the position of its tombstone in Kafka."""
    document = f"mutation Delete($key: String!) {{ {root_field('delete', table)}(key: $key) {{ {_WRITTEN} }} }}"
    async with connect(url) as client:
        _show((await client.execute(document, {"key": key}))["delete"], as_json=as_json)


def _show(written: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(written)
    else:
        print_line("partition {partition}, offset {offset}, cursor {cursor}".format(**written))
