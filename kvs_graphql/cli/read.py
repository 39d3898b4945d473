"""The commands that read from a running service: tables for people, JSON for scripts."""

import asyncio
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from kvs_graphql.cli.fields import root_field
from kvs_graphql.cli.output import Cell, print_error, print_json, print_line, print_table
from kvs_graphql.client import Client, Variables, connect
from kvs_graphql.errors import Unreachable

_ENTRY = "id key value(encoding: BASE64) partition offset timestamp"
_STATUS = """
query Status {
  status {
    ready state entries lag cursor subscribers version
    tables {
      name topic compacted ready state reason since entries lag cursor
      partitions { partition position endOffset lag heldBack }
      sizes { databaseBytes windowChanges }
    }
  }
}
"""


async def get(url: str, keys: Sequence[str], table: str | None, *, as_json: bool) -> int:
    """Print the entries of `keys`. Return exit code 1 if any key has no value."""
    document = f"query Get($keys: [String!]!) {{ {root_field('values', table)}(keys: $keys) {{ {_ENTRY} }} }}"
    async with connect(url) as client:
        entries = (await client.execute(document, {"keys": list(keys)}))["values"]
    if as_json:
        for key, entry in zip(keys, entries, strict=True):
            print_json(_with_text(entry) if entry else {"key": key, "value": None})
    else:
        rows = [_row(entry) if entry else _row_without_value(key) for key, entry in zip(keys, entries, strict=True)]
        print_table(rows, ("key", "value", "partition", "offset", "time"))
    return int(None in entries)


async def watch(
    url: str, keys: Sequence[str], prefix: str | None, tables: Sequence[str], *, snapshot: bool, as_json: bool
) -> None:
    """Print updates of these tables, or of the only one, until cancelled; resume after lost connections."""
    variables = {"keys": list(keys) or None, "prefix": prefix, "snapshot": snapshot}
    try:
        async with connect(url) as client, asyncio.TaskGroup() as tasks:
            for table in tables or (None,):
                tasks.create_task(_follow(client, variables, table, named=len(tables) > 1, as_json=as_json))
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def _follow(client: Client, variables: Variables, table: str | None, *, named: bool, as_json: bool) -> None:
    """Print the updates of one table; with its name if `named`."""
    updates = client.resume(_watch(table), variables, lambda data: str(data["updates"]["cursor"]), _report_loss)
    async for data in updates:
        update = data["updates"]
        if update["kind"] == "PROGRESS":
            continue  # It only moves the cursor to resume from.
        if as_json:
            name = {"table": table} if named else {}
            print_json({**name, **update, "entry": _with_text(update["entry"]) if update["entry"] else None})
        else:
            print_line(f"{table} {_line(update)}" if named else _line(update))


def _watch(table: str | None) -> str:
    return f"""
      subscription Watch($keys: [String!], $prefix: String, $after: Cursor, $snapshot: Boolean!) {{
        {root_field("updates", table)}(
          keys: $keys, prefix: $prefix, after: $after, snapshot: $snapshot, progress: true
        ) {{
          kind cursor key partition offset timestamp entry {{ {_ENTRY} }}
        }}
      }}
    """


async def status(url: str, *, as_json: bool) -> int:
    """Print the status of the service. Return exit code 1 if it is not ready."""
    async with connect(url) as client:
        answer = (await client.execute(_STATUS))["status"]
    exit_code = int(not answer["ready"])
    if as_json:
        print_json(answer)
        return exit_code
    for shown in answer["tables"]:
        names = ("topic", "compacted", "state", "reason", "since", "entries", "lag")
        named = [] if shown["name"] is None else [(("table", "bold"), shown["name"])]
        print_table([*named, *(((name, "bold"), str(shown[name])) for name in names)])
        rows = [list(map(str, partition.values())) for partition in shown["partitions"]]
        print_table(rows, ("partition", "position", "end offset", "lag", "held back"))
    print_table([(("version", "bold"), answer["version"])])
    return exit_code


def _report_loss(loss: Unreachable) -> None:
    print_error(f"kvs-graphql: {loss}; retrying")


def _line(update: dict[str, Any]) -> str:
    head = f"{update['timestamp'] or '':32} {update['kind']:9}"
    if update["key"] is None:
        return head.rstrip()
    return f"{head} {update['key']}" + (f" {_text(_value(update['entry']))}" if update["entry"] else "")


def _row(entry: dict[str, Any]) -> list[Cell]:
    place = (str(entry["partition"]), str(entry["offset"]))
    return [entry["key"], _text(_value(entry)), *place, entry["timestamp"] or ""]


def _row_without_value(key: str) -> list[Cell]:
    return [key, ("no value", "dim"), "", "", ""]


def _with_text(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the entry with its value as text. A value that is not UTF-8 is base64, as `valueBase64`."""
    value = _value(entry)
    try:
        return {**entry, "value": value.decode()}
    except UnicodeDecodeError:
        return {**entry, "value": None, "valueBase64": entry["value"]}


def _value(entry: dict[str, Any]) -> bytes:
    raw: bytes = b64decode(entry["value"])
    return raw


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")
