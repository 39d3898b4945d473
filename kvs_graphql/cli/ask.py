"""The commands that ask a running service: tables for people, JSON for scripts."""

from base64 import b64decode
from collections.abc import Sequence
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kvs_graphql.client import connect
from kvs_graphql.errors import Unreachable

_ENTRY = "id key value(encoding: BASE64) partition offset timestamp"
_GET = f"query Get($keys: [String!]!) {{ values(keys: $keys) {{ {_ENTRY} }} }}"
_WATCH = f"""
subscription Watch($keys: [String!], $prefix: String, $after: Cursor, $snapshot: Boolean!) {{
  updates(keys: $keys, prefix: $prefix, after: $after, snapshot: $snapshot, progress: true) {{
    kind cursor key partition offset timestamp entry {{ {_ENTRY} }}
  }}
}}
"""
_STATUS = """
query Status {
  status {
    topic compacted ready state reason since entries lag cursor version
    partitions { partition position endOffset lag heldBack }
    sizes { databaseBytes windowChanges }
  }
}
"""


async def get(url: str, keys: Sequence[str], *, as_json: bool) -> int:
    """Print the entries of `keys`; 1 if one has none."""
    async with connect(url) as client:
        entries = (await client.execute(_GET, {"keys": list(keys)}))["values"]
    if as_json:
        for key, entry in zip(keys, entries, strict=True):
            _print_json(_plain(entry) if entry else {"key": key, "value": None})
    else:
        table = Table("key", "value", "partition", "offset", "time", box=None, header_style="bold")
        for key, entry in zip(keys, entries, strict=True):
            shown = _row(entry) if entry else (Text(key), Text("no value", "dim"), "", "", "")
            table.add_row(*shown)
        Console().print(table)
    return int(None in entries)


async def watch(url: str, keys: Sequence[str], prefix: str | None, *, snapshot: bool, as_json: bool) -> None:
    """Print updates for ever, over reconnects too."""
    variables = {"keys": list(keys) or None, "prefix": prefix, "snapshot": snapshot}
    async with connect(url) as client:
        updates = client.resume(_WATCH, variables, lambda data: str(data["updates"]["cursor"]), _say_lost)
        async for data in updates:
            update = data["updates"]
            if update["kind"] == "PROGRESS":
                continue  # It only keeps the place to resume from.
            if as_json:
                _print_json({**update, "entry": _plain(update["entry"]) if update["entry"] else None})
            else:
                click.echo(_line(update))


async def status(url: str, *, as_json: bool) -> int:
    """Print how the service is; 1 if it is not ready."""
    async with connect(url) as client:
        found = (await client.execute(_STATUS))["status"]
    if as_json:
        _print_json(found)
        return int(not found["ready"])
    console = Console()
    facts = Table(box=None, show_header=False)
    for name in ("topic", "compacted", "state", "reason", "since", "entries", "lag", "version"):
        facts.add_row(f"[bold]{name}[/bold]", str(found[name]))
    console.print(facts)
    table = Table("partition", "position", "end offset", "lag", "held back", box=None, header_style="bold")
    for partition in found["partitions"]:
        table.add_row(*map(str, partition.values()))
    console.print(table)
    return int(not found["ready"])


def _say_lost(loss: Unreachable) -> None:
    click.echo(f"kvs-graphql: {loss}; trying again", err=True)


def _line(update: dict[str, Any]) -> str:
    entry = update["entry"]
    value = "" if entry is None else _text(_value(entry))
    return f"{update['timestamp'] or '':32} {update['kind']:9} {update['key'] or ''} {value}".rstrip()


def _row(entry: dict[str, Any]) -> tuple[Text, Text, str, str, str]:
    # As Text, square brackets are no markup.
    return (
        Text(_harmless(entry["key"])),
        Text(_text(_value(entry))),
        str(entry["partition"]),
        str(entry["offset"]),
        entry["timestamp"] or "",
    )


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with its value as text, or, where that is not UTF-8, as base64 under another name."""
    value = _value(entry)
    try:
        return {**entry, "value": value.decode()}
    except UnicodeDecodeError:
        return {**entry, "value": None, "valueBase64": entry["value"]}


def _value(entry: dict[str, Any]) -> bytes:
    raw: bytes = b64decode(entry["value"])
    return raw


def _text(value: bytes) -> str:
    return _harmless(value.decode(errors="backslashreplace"))


def _harmless(text: str) -> str:
    """Control characters could command the terminal: they are shown as escapes."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def _print_json(value: object) -> None:
    click.echo(orjson.dumps(value).decode())
