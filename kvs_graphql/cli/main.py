"""The commands and their exit codes.

0: success. 1: a negative result (no such key, not ready), or an error from the service. 2: wrong usage or a wrong
setting. 3: the database cannot be used. 4: the database belongs to another topic. 5: Kafka refuses access, or its
certificate is refused, or a record cannot be read. 6: no service answers.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from kvs_graphql import __version__
from kvs_graphql.cli.output import escape_unencodable, print_error
from kvs_graphql.errors import KvsError, OperatorError, Unreachable
from kvs_graphql.logs import configure_logging
from kvs_graphql.printable import printable

_UNREACHABLE = 6
_COMMANDS = {
    "check": "operating.check",
    "delete": "asking.delete",
    "demo": "operating.demo",
    "get": "asking.get",
    "init": "operating.init",
    "load": "asking.load",
    "schema": "operating.schema",
    "serve": "operating.serve",
    "set": "asking.set_value",
    "status": "asking.status",
    "token": "operating.token",
    "watch": "asking.watch",
}
"""The commands, and the functions of this package that they are."""


class _Commands(click.Group):
    """Import only the command that runs, and turn errors of this project into one line and an exit code.

    The libraries of the service take a second to import. The commands that only ask one do without.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, function = _COMMANDS[cmd_name].partition(".")
        command: click.Command = getattr(_module(module), function)
        return command

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
        lines = _module("options").settings_table()
        with formatter.section("Settings: flags of `serve`, environment variables, or lines of .env"):
            formatter.write_dl([(s.variable, f"{s.description} [{s.default}]") for s in lines])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="kvs-graphql")
def main() -> None:
    """Serve Kafka topics as key-value tables over GraphQL, or query such a service."""
    escape_unencodable()
    configure_logging("warning", "console")


def _module(name: str) -> Any:
    """A module of this package."""
    return import_module(f"kvs_graphql.cli.{name}")


@contextmanager
def _printable_usage_errors() -> Iterator[None]:
    """Escape what click's messages repeat of the arguments."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        raise click.UsageError(printable(error.format_message()), error.ctx) from error


def _exit_code(error: KvsError) -> int:
    if isinstance(error, OperatorError):
        return error.exit_code
    return _UNREACHABLE if isinstance(error, Unreachable) else 1
