"""The commands that read from a running service: tables for people, JSON for scripts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kvs_graphql.cli.entries import entry_selection, key_cell, key_selection, shown_entry, shown_key, value_cell
from kvs_graphql.cli.fields import root_field
from kvs_graphql.cli.output import Cell, print_error, print_json, print_line, print_table
from kvs_graphql.cli.tables import TableFields, describe
from kvs_graphql.client import Client, Variables, connect
from kvs_graphql.errors import BadInput, Unreachable

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
    async with connect(url) as client:
        fields = await describe(client, table)
        named = [fields.key_of(key) for key in keys]
        document = (
            f"query Get($keys: [{fields.key.kind}]!) "
            f"{{ {root_field('values', table)}(keys: $keys) {{ {entry_selection(fields, as_json=as_json)} }} }}"
        )
        entries = (await client.execute(document, {"keys": named}))["values"]
    if as_json:
        for key, entry in zip(named, entries, strict=True):
            print_json(shown_entry(entry, fields) if entry else {"key": key, fields.value_name: None})
    else:
        rows = [
            _row(entry, fields) if entry else _row_without_value(key) for key, entry in zip(keys, entries, strict=True)
        ]
        print_table(rows, ("key", "value", "partition", "offset", "time"))
    return int(None in entries)


async def watch(
    url: str, keys: Sequence[str], prefix: str | None, tables: Sequence[str], *, snapshot: bool, as_json: bool
) -> None:
    """Print updates of these tables, or of the only one, until cancelled; resume after lost connections."""
    watched = Watched(tuple(keys), prefix, snapshot)
    try:
        async with connect(url) as client, asyncio.TaskGroup() as tasks:
            for table in tables or (None,):
                tasks.create_task(_follow(client, watched, table, named=len(tables) > 1, as_json=as_json))
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


@dataclass(frozen=True, slots=True)
class Watched:
    """What a command line says about the keys to watch."""

    keys: tuple[str, ...]
    prefix: str | None
    snapshot: bool

    def variables(self, fields: TableFields) -> Variables:
        """What a subscription takes. Raises: ClientError: The table has no such keys."""
        given: Variables = {"keys": [fields.key_of(key) for key in self.keys] or None, "snapshot": self.snapshot}
        if fields.takes_prefix:
            return {**given, "prefix": self.prefix}
        if self.prefix is not None:
            raise BadInput("The keys of this table are typed, and have no prefixes.")
        return given


async def _follow(client: Client, watched: Watched, table: str | None, *, named: bool, as_json: bool) -> None:
    """Print the updates of one table; with its name if `named`."""
    fields = TableFields(table)

    async def ask() -> tuple[str, Variables]:
        nonlocal fields
        fields = await describe(client, table)
        return _watch(fields, as_json=as_json), watched.variables(fields)

    async for data in client.resume(ask, lambda data: str(data["updates"]["cursor"]), _report_loss):
        update = data["updates"]
        if update["kind"] == "PROGRESS":
            continue  # It only moves the cursor to resume from.
        if as_json:
            print_json({**({"table": table} if named else {}), **_shown(update, fields)})
        else:
            print_line(f"{table} {_line(update, fields)}" if named else _line(update, fields))


def _watch(fields: TableFields, *, as_json: bool) -> str:
    parameter, argument = ("$prefix: String, ", "prefix: $prefix, ") if fields.takes_prefix else ("", "")
    return f"""
      subscription Watch($keys: [{fields.key.kind}], {parameter}$after: Cursor, $snapshot: Boolean!) {{
        {root_field("updates", fields.name)}(
          keys: $keys, {argument}after: $after, snapshot: $snapshot, progress: true
        ) {{
          kind cursor {key_selection(fields)} partition offset timestamp
          entry {{ {entry_selection(fields, as_json=as_json)} }}
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


def _shown(update: dict[str, Any], fields: TableFields) -> dict[str, Any]:
    entry = shown_entry(update["entry"], fields) if update["entry"] else None
    place = {name: update[name] for name in ("partition", "offset", "timestamp")}
    return {"kind": update["kind"], "cursor": update["cursor"], **shown_key(update, fields), **place, "entry": entry}


def _line(update: dict[str, Any], fields: TableFields) -> str:
    head = f"{update['timestamp'] or '':32} {update['kind']:9}"
    if update["offset"] is None:
        return head.rstrip()
    return f"{head} {key_cell(update, fields)}" + (f" {_text(update['entry'], fields)}" if update["entry"] else "")


def _text(entry: dict[str, Any], fields: TableFields) -> str:
    cell = value_cell(entry, fields)
    return cell if isinstance(cell, str) else cell[0]


def _row(entry: dict[str, Any], fields: TableFields) -> list[Cell]:
    place = (str(entry["partition"]), str(entry["offset"]))
    return [key_cell(entry, fields), value_cell(entry, fields), *place, entry["timestamp"] or ""]


def _row_without_value(key: str) -> list[Cell]:
    return [key, ("no value", "dim"), "", "", ""]
