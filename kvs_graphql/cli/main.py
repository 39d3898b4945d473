"""The commands and their exit codes.

0: success. 1: a negative result (no such key, not ready), or an error from the service. 2: wrong usage or a wrong
setting. 3: the database cannot be used. 4: the database belongs to another topic. 5: Kafka refuses access, or its
certificate is refused, or a record cannot be read. 6: no service answers.
"""

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import uvloop

from kvs_graphql import __version__
from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.cli import configuration, read, write
from kvs_graphql.cli.fields import table_option, tables_option
from kvs_graphql.cli.load import load as load_file
from kvs_graphql.cli.options import sendable, settings_options, settings_table
from kvs_graphql.cli.output import escape_unencodable, print_error, print_lines
from kvs_graphql.cli.serving import serve_demo, serve_tables
from kvs_graphql.errors import KvsError, OperatorError, Unreachable
from kvs_graphql.logs import configure_logging
from kvs_graphql.printable import printable
from kvs_graphql.settings import load_settings

_UNREACHABLE = 6
_INTERRUPTED = 130

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


class _Commands(click.Group):
    """Turn errors of this project into one line and an exit code."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        with _printable_usage_errors():
            return super().make_context(*arguments, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _printable_usage_errors():
                return super().invoke(ctx)
        except KvsError as error:
            print_error(f"kvs-graphql: {error}")
            sys.exit(_exit_code(error))

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List all settings."""
        with formatter.section("Settings: flags of `serve`, environment variables, or lines of .env"):
            formatter.write_dl([(s.variable, f"{s.description} [{s.default}]") for s in settings_table()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="kvs-graphql")
def main() -> None:
    """Serve Kafka topics as key-value tables over GraphQL, or query such a service."""
    escape_unencodable()
    configure_logging("warning", "console")


@main.command()
@settings_options
def serve(**flags: str) -> None:
    """Serve a topic, or the tables of kvs.toml, until stopped."""
    _run(serve_tables(load_settings(**flags)))


@main.command()
@settings_options
def check(**flags: str) -> None:
    """Check the settings, the brokers, and the topic of each table. The exit code is 1 if one would not be ready."""
    sys.exit(_run(configuration.check(load_settings(**flags))))


@main.command()
@click.option("--bootstrap-servers", help="Kafka brokers, as host:port, comma-separated.")
@click.option("--schema-registry-url", help="Schema registry, whose subjects tell the formats of topics.")
@click.argument("file", default="kvs.toml", type=click.Path(path_type=Path))
def init(bootstrap_servers: str | None, schema_registry_url: str | None, file: Path) -> None:
    """Write a kvs.toml, with comments, that has a table for each topic of the brokers."""
    flags: dict[str, Any] = {} if bootstrap_servers is None else {"bootstrap_servers": bootstrap_servers}
    if schema_registry_url is not None:
        flags["schema_registry"] = {"url": schema_registry_url}
    _run(configuration.init(load_settings(**flags), file))


@main.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", help="Port to listen on; 0 picks a free one.")
def demo(**flags: str | None) -> None:
    """Serve live figures of this machine from an embedded Kafka broker until stopped."""
    _run(serve_demo({name: value for name, value in flags.items() if value is not None}))


@main.command()
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
    sys.exit(_run(read.get(url, keys, table, as_json=as_json)))


@main.command()
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
    _run(read.watch(url, keys, prefix, tables, snapshot=snapshot, as_json=as_json))


@main.command("set")
@click.argument("key", callback=sendable)
@click.argument("value", callback=sendable)
@table_option
@_url
@_json
def set_value(key: str, value: str, table: str | None, url: str, as_json: bool) -> None:
    """Write the value of a key and print its position in Kafka.

    Where values have a schema, VALUE is the JSON that the table's mutation takes as `data`.
    """
    _run(write.set_value(url, key, value, table, as_json=as_json))


@main.command()
@click.argument("key", callback=sendable)
@table_option
@_url
@_json
def delete(key: str, table: str | None, url: str, as_json: bool) -> None:
    """Delete a key and print the position of its tombstone in Kafka."""
    _run(write.delete(url, key, table, as_json=as_json))


@main.command()
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
    sys.exit(_run(load_file(url, file, file_format, table), interrupted=_INTERRUPTED))


@main.command()
@_url
@_json
def status(url: str, as_json: bool) -> None:
    """Print the status of a service. The exit code is 1 if it is not ready."""
    sys.exit(_run(read.status(url, as_json=as_json)))


@main.command()
@click.argument("name", default="client", callback=sendable)
def token(name: str) -> None:
    """Make a static bearer token for a principal of that name, and print it with what to set.

    Only its hash is set: whoever reads the configuration cannot use it. The token is not shown again.
    """
    made = new_token()
    print_lines(f"token, for the client:    {made}\nsetting, for the service: KVS_TOKENS={name}:{hash_of(made)}\n")


@main.command()
def schema() -> None:
    """Print the GraphQL schema of the configured tables, as `serve` would serve it.

    Schemas come from their files, or from the registry. Of a single topic, the mutations are printed in any case.
    """
    _run(configuration.print_graph(load_settings()))


@contextmanager
def _printable_usage_errors() -> Iterator[None]:
    """Escape what click's messages repeat of the arguments."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        raise click.UsageError(printable(error.format_message()), error.ctx) from error


def _run(work: Coroutine[Any, Any, int | None], *, interrupted: int = 0) -> int:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work) or 0
    except KeyboardInterrupt:
        return interrupted


def _exit_code(error: KvsError) -> int:
    if isinstance(error, OperatorError):
        return error.exit_code
    return _UNREACHABLE if isinstance(error, Unreachable) else 1
