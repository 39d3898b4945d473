"""The tables: as text for a terminal, as Markdown, and everything measured as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.figures import AIMS, FIGURES, ratio
from bench.measure import NEWCOMER, OURS, SUBJECTS, Measurement, Row, Spread, remarks, rows

RESULTS = Path(__file__).parent / "results"
HEAD = ("shape", "figure", "limit", "ours", "newcomer", "ours / limit", "newcomer / limit", "aim")
_TEXT_COLUMNS = 180


def lines(measurements: Sequence[Measurement]) -> list[tuple[str, ...]]:
    """The cells of the table, a line for each figure of each shape."""
    return [_line(row) for row in rows(measurements)]


def notes(measurements: Sequence[Measurement]) -> list[str]:
    """The remarks that were made, and how often."""
    return [
        f"{shape}, {subject}: {remark} (in {count} of {_rounds(measurements, shape, subject)} rounds)"
        for (shape, subject), counts in remarks(measurements).items()
        for remark, count in counts.items()
    ]


def text(measurements: Sequence[Measurement]) -> str:
    """The table for a terminal: medians, and in brackets the least and the greatest of the rounds."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(HEAD):
        table.add_column(name, justify="left" if number < 2 else "right", no_wrap=number < 2)
    previous = ""
    for shape, *cells in lines(measurements):
        if previous not in ("", shape):
            table.add_section()
        table.add_row("" if shape == previous else shape, *cells)
        previous = shape
    console = Console(width=_TEXT_COLUMNS, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return "\n".join([captured.get(), *notes(measurements)])


def markdown(machine: Mapping[str, str], measurements: Sequence[Measurement]) -> str:
    """The same as a Markdown document."""
    told = "; ".join(f"{name}: {value}" for name, value in machine.items())
    table = [f"| {' | '.join(cells)} |" for cells in (HEAD, ["---"] * len(HEAD), *lines(measurements))]
    remarked = [f"- {note}" for note in notes(measurements)]
    return "\n".join([f"Machine: {told}.", "", *table, "", *remarked]).rstrip() + "\n"


def write_results(machine: Mapping[str, str], measurements: Sequence[Measurement], name: str = "latest") -> None:
    """Leave `name`.json and `name`.md in the results' directory."""
    RESULTS.mkdir(exist_ok=True)
    found = {"machine": machine, "measurements": [asdict(one) for one in measurements]}
    (RESULTS / f"{name}.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    (RESULTS / f"{name}.md").write_text(markdown(machine, measurements))


def _line(row: Row) -> tuple[str, ...]:
    figure = FIGURES[row.figure]
    aim = AIMS.get((row.shape, row.figure))
    met = None if aim is None else aim.met(row)
    return (
        row.shape,
        figure.label,
        *(_shown(row.spreads.get(subject), figure.digits) for subject in SUBJECTS),
        *(_ratio(row, subject) for subject in (OURS, NEWCOMER)),
        "" if aim is None or met is None else f"{aim.text(figure)}: {'met' if met else 'not met'}",
    )


def _shown(spread: Spread | None, digits: int) -> str:
    if spread is None:
        return "–"
    median = f"{spread.median:,.{digits}f}"
    if spread.least == spread.greatest:
        return median
    return f"{median} ({spread.least:,.{digits}f}–{spread.greatest:,.{digits}f})"


def _ratio(row: Row, subject: str) -> str:
    spread = row.ratios.get(subject)
    return "–" if spread is None else ratio(spread.median, FIGURES[row.figure])


def _rounds(measurements: Sequence[Measurement], shape: str, subject: str) -> int:
    return len({one.round for one in measurements if (one.shape, one.subject) == (shape, subject)})
