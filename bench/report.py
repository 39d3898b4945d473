"""The tables: as text for a terminal, as Markdown, and everything measured as JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.figures import AIMS, FIGURES, ratio
from bench.growth import Growth
from bench.measure import BASELINE, OURS, SUBJECTS, Measurement, Row, Spread, remarks, rows

RESULTS = Path(__file__).parent / "results"
HEAD = ("shape", "figure", "floor", "ours", "baseline", "ours / floor", "baseline / floor", "aim")
_TEXT_COLUMNS = 180


def lines(measurements: Sequence[Measurement]) -> list[tuple[str, ...]]:
    """The cells of the table, a line for each figure of each shape; some figures are only in the JSON."""
    return [_line(row) for row in rows(measurements) if row.figure in FIGURES]


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
    table = [f"| {' | '.join(cells)} |" for cells in (HEAD, ["---"] * len(HEAD), *lines(measurements))]
    remarked = [f"- {note}" for note in notes(measurements)]
    return "\n".join([_told(machine), "", *table, "", *remarked]).rstrip() + "\n"


def growth_lines(growths: Sequence[Growth]) -> list[str]:
    """A Markdown table of how costs grow, one for each thing that they grow with."""
    found: list[str] = []
    for of in dict.fromkeys(growth.of for growth in growths):
        alike = [growth for growth in growths if growth.of == of]
        sizes = sorted(alike[0].costs)
        head = [f"with {of}", *(f"{size:,}" for size in sizes), "exponent", "that is"]
        cells = [
            [one.cost, *(f"{one.costs[size]:,.1f}" for size in sizes), f"{one.exponent:.2f}", one.verdict]
            for one in alike
        ]
        found += [*(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *cells)), ""]
    return found


def write_growths(machine: Mapping[str, str], growths: Sequence[Growth]) -> None:
    """Leave scaling.json and scaling.md in the results' directory."""
    RESULTS.mkdir(exist_ok=True)
    found = {"machine": machine, "growths": [asdict(one) for one in growths]}
    (RESULTS / "scaling.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))
    (RESULTS / "scaling.md").write_text("\n".join([_told(machine), "", *growth_lines(growths)]))


def write_results(machine: Mapping[str, str], measurements: Sequence[Measurement]) -> None:
    """Leave latest.json and latest.md in the results' directory."""
    RESULTS.mkdir(exist_ok=True)
    found = {"machine": machine, "measurements": [asdict(one) for one in measurements]}
    (RESULTS / "latest.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    (RESULTS / "latest.md").write_text(markdown(machine, measurements))


def read_results() -> tuple[dict[str, str], list[Measurement]]:
    """What `write_results` left last: the machine, and everything measured."""
    found = orjson.loads((RESULTS / "latest.json").read_bytes())
    return found["machine"], [Measurement(**one) for one in found["measurements"]]


def read_growths() -> list[Growth]:
    """What `write_growths` left last; nothing where there is nothing."""
    path = RESULTS / "scaling.json"
    found = orjson.loads(path.read_bytes())["growths"] if path.exists() else []
    return [Growth(one["cost"], one["of"], {int(size): cost for size, cost in one["costs"].items()}) for one in found]


def with_part(page: str, name: str, text: str) -> str:
    """The page with another text between its marks of that name.

    Raises:
        ValueError: It has none.
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if start not in page or end not in page:
        raise ValueError(f"the page has no place for {name}")
    return re.sub(f"{start}.*{end}", lambda _: f"{start}\n{text.strip()}\n{end}", page, flags=re.DOTALL)


def _told(machine: Mapping[str, str]) -> str:
    return f"Machine: {'; '.join(f'{name}: {value}' for name, value in machine.items())}."


def _line(row: Row) -> tuple[str, ...]:
    figure = FIGURES[row.figure]
    aim = AIMS.get((row.shape, row.figure))
    met = None if aim is None else aim.met(row)
    return (
        row.shape,
        figure.label,
        *(_shown(row.spreads.get(subject), figure.digits) for subject in SUBJECTS),
        *(_ratio(row, subject) for subject in (OURS, BASELINE)),
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
