"""The commands that read from a running service: tables for people, JSON for scripts."""

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
    """Print the entries of `keys`. Return exit code 1 if any key has no value."""
    async with connect(url) as client:
        entries = (await client.execute(_GET, {"keys": list(keys)}))["values"]
    if as_json:
        for key, entry in zip(keys, entries, strict=True):
            _print_json(_with_text(entry) if entry else {"key": key, "value": None})
    else:
        table = Table("key", "value", "partition", "offset", "time", box=None, header_style="bold")
        for key, entry in zip(keys, entries, strict=True):
            cells = _row(entry) if entry else (Text(key), Text("no value", "dim"), "", "", "")
            table.add_row(*cells)
        Console().print(table)
    return int(None in entries)


async def watch(url: str, keys: Sequence[str], prefix: str | None, *, snapshot: bool, as_json: bool) -> None:
    """Print updates until cancelled, and resume after lost connections."""
    variables = {"keys": list(keys) or None, "prefix": prefix, "snapshot": snapshot}
    async with connect(url) as client:
        updates = client.resume(_WATCH, variables, lambda data: str(data["updates"]["cursor"]), _report_loss)
        async for data in updates:
            update = data["updates"]
            if update["kind"] == "PROGRESS":
                continue  # It only moves the cursor to resume from.
            if as_json:
                _print_json({**update, "entry": _with_text(update["entry"]) if update["entry"] else None})
            else:
                click.echo(_line(update))


async def status(url: str, *, as_json: bool) -> int:
    """Print the status of the service. Return exit code 1 if it is not ready."""
    async with connect(url) as client:
        answer = (await client.execute(_STATUS))["status"]
    exit_code = int(not answer["ready"])
    if as_json:
        _print_json(answer)
        return exit_code
    console = Console()
    facts = Table(box=None, show_header=False)
    for name in ("topic", "compacted", "state", "reason", "since", "entries", "lag", "version"):
        facts.add_row(f"[bold]{name}[/bold]", str(answer[name]))
    console.print(facts)
    table = Table("partition", "position", "end offset", "lag", "held back", box=None, header_style="bold")
    for partition in answer["partitions"]:
        table.add_row(*map(str, partition.values()))
    console.print(table)
    return exit_code


def _report_loss(loss: Unreachable) -> None:
    click.echo(f"kvs-graphql: {loss}; retrying", err=True)


def _line(update: dict[str, Any]) -> str:
    entry = update["entry"]
    value = "" if entry is None else _text(_value(entry))
    return f"{update['timestamp'] or '':32} {update['kind']:9} {update['key'] or ''} {value}".rstrip()


def _row(entry: dict[str, Any]) -> tuple[Text, Text, str, str, str]:
    # Text, because square brackets in a str would be markup.
    return (
        Text(_escape_control_characters(entry["key"])),
        Text(_text(_value(entry))),
        str(entry["partition"]),
        str(entry["offset"]),
        entry["timestamp"] or "",
    )


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
    return _escape_control_characters(value.decode(errors="backslashreplace"))


def _escape_control_characters(text: str) -> str:
    """Show control characters as escapes, since they could command the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def _print_json(value: object) -> None:
    click.echo(orjson.dumps(value).decode())
