"""The commands that ask a running service. They start without the libraries of the service."""

import sys

import click

from kvs_graphql.cli import read, write
from kvs_graphql.cli.fields import table_option, tables_option
from kvs_graphql.cli.load import load as load_file
from kvs_graphql.cli.running import INTERRUPTED, run
from kvs_graphql.cli.texts import sendable

_url = click.option(
    "--url",
    callback=sendable,
    default="http://127.0.0.1:8000",
    envvar="KVS_URL",
    show_default=True,
    show_envvar=True,
    help="URL of the service.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts: one exact object per line.")


@click.command()
@click.argument("keys", nargs=-1, required=True, callback=sendable, metavar="KEY...")
@table_option
@_url
@_json
def get(keys: tuple[str, ...], table: str | None, url: str, as_json: bool) -> None:
    """Print the values of keys. The exit code is 1 if any key has no value.

    Each key has one row, in which line breaks, tabs and whatever else a terminal would obey show as escapes such as
    \\n and \\x1b. Where values have a schema, they show as JSON; keys are written as the table's keys are, such as 42,
    and keys that are records as JSON.
    """
    sys.exit(run(read.get(url, keys, table, as_json=as_json)))


@click.command()
@click.argument("keys", nargs=-1, callback=sendable, metavar="[KEY...]")
@click.option("--prefix", callback=sendable, help="Watch all keys with this prefix.")
@click.option("--snapshot/--no-snapshot", default=True, show_default=True, help="Print the current entries first.")
@tables_option
@_url
@_json
def watch(
    keys: tuple[str, ...], prefix: str | None, snapshot: bool, tables: tuple[str, ...], url: str, as_json: bool
) -> None:
    """Print changes of the given keys, or of all keys, as they happen. Resumes when the service comes back.

    Each change is one line, in which line breaks, tabs and whatever else a terminal would obey show as escapes such as
    \\n and \\x1b.
    """
    run(read.watch(url, keys, prefix, tables, snapshot=snapshot, as_json=as_json))


@click.command("set")
@click.argument("key", callback=sendable)
@click.argument("value", callback=sendable)
@table_option
@_url
@_json
def set_value(key: str, value: str, table: str | None, url: str, as_json: bool) -> None:
    """Write the value of a key and print its position in Kafka.

    Where values have a schema, VALUE is the JSON that the table's mutation takes as `data`.
    """
    run(write.set_value(url, key, value, table, as_json=as_json))


@click.command()
@click.argument("key", callback=sendable)
@table_option
@_url
@_json
def delete(key: str, table: str | None, url: str, as_json: bool) -> None:
    """Delete a key and print the position of its tombstone in Kafka."""
    run(write.delete(url, key, table, as_json=as_json))


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["ndjson", "csv"]),
    help="Format of the lines; by default CSV if the name ends in .csv, else NDJSON.",
)
@table_option
@_url
def load(file: str, file_format: str | None, table: str | None, url: str) -> None:
    """Write the lines of a file, or of standard input (-). The exit code is 1 if any line is refused.

    NDJSON: {"key": "a", "value": "1"}. Null deletes the key; other values that are not strings are written as JSON.
    CSV: key,value. The lines of each key are written in order. Where values have a schema, {"key": 42, "data": {...}}
    and key,data: what the table's mutation takes, and what `get --json` prints.
    """
    sys.exit(run(load_file(url, file, file_format, table), interrupted=INTERRUPTED))


@click.command()
@_url
@_json
def status(url: str, as_json: bool) -> None:
    """Print the status of a service. The exit code is 1 if it is not ready."""
    sys.exit(run(read.status(url, as_json=as_json)))
