"""Tables of text cells, for a terminal and as Markdown."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_TEXT_COLUMNS = 180


def text_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Render a table for a terminal; lines with the same first cell form a section, which shows it once."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="left" if number < 2 else "right", no_wrap=number < 2)
    previous = ""
    for first, *cells in lines:
        if previous not in ("", first):
            table.add_section()
        table.add_row("" if first == previous else first, *cells)
        previous = first
    console = Console(width=_TEXT_COLUMNS, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def markdown_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """Render a table as lines of Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines)]
