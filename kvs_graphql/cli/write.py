"""The commands that write one key."""

from typing import Any

from kvs_graphql.cli.output import print_json, print_line
from kvs_graphql.client import connect

_WRITTEN = "key partition offset timestamp cursor"
_SET = f"mutation Set($key: String!, $value: String!) {{ write: set(key: $key, value: $value) {{ {_WRITTEN} }} }}"
_DELETE = f"mutation Delete($key: String!) {{ write: delete(key: $key) {{ {_WRITTEN} }} }}"


async def set_value(url: str, key: str, value: str, *, as_json: bool) -> None:
    """Write a value and print its position in Kafka."""
    async with connect(url) as client:
        _show((await client.execute(_SET, {"key": key, "value": value}))["write"], as_json=as_json)


async def delete(url: str, key: str, *, as_json: bool) -> None:
    """Delete a key and print the position of its tombstone in Kafka."""
    async with connect(url) as client:
        _show((await client.execute(_DELETE, {"key": key}))["write"], as_json=as_json)


def _show(written: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(written)
    else:
        print_line("partition {partition}, offset {offset}, cursor {cursor}".format(**written))
