"""All that the commands print: for people without anything that a terminal would obey, for scripts exactly.

Nothing else in this package writes to standard output or standard error.
"""

import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper

import click
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.table import Table
from rich.text import Text

from kvs_graphql.printable import printable, printable_json, printable_lines

Cell = str | tuple[str, str]
"""The text of a cell, or the text and its style."""

_UNBROKEN_COLUMNS_MAX = 2_000
"""Rows are padded to the longest one. So only longer ones are broken where no terminal is."""


def print_line(text: str) -> None:
    """Print one line."""
    click.echo(printable(text))


def print_lines(text: str) -> None:
    """Print text whose line breaks are this project's own, and nothing after its end."""
    click.echo(printable_lines(text), nl=False)


def print_error(text: str) -> None:
    """Print one line to standard error."""
    click.echo(printable(text), err=True)


def print_json(value: object) -> None:
    """Print a value as one line of JSON, in UTF-8 whatever the locale says."""
    click.echo(printable_json(value).encode())


def print_table(rows: Iterable[Sequence[Cell]], heads: Sequence[str] = ()) -> None:
    """Print rows of cells in columns. A row is broken where a terminal ends; elsewhere, it stays one line to search."""
    table = Table(*heads, box=None, show_header=bool(heads), header_style="bold")
    for row in rows:
        table.add_row(*map(_text, row))
    console = Console()
    if not console.is_terminal:
        wide = console.options.update(width=_UNBROKEN_COLUMNS_MAX)
        console.width = max(console.width, console.measure(table, options=wide).maximum)
    console.print(table)


def progress_bar(*columns: ProgressColumn) -> Progress:
    """Return a progress bar on standard error, which leaves nothing behind."""
    return Progress(*columns, console=Console(stderr=True), transient=True)


def escape_unencodable() -> None:
    """Print escapes for characters that the encoding of standard output lacks, instead of failing."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _text(cell: Cell) -> Text:
    # Not a str, in which rich would take square brackets for markup.
    text, style = (cell, "") if isinstance(cell, str) else cell
    return Text(printable(text), style, overflow="fold")
