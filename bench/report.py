"""The results: as text for a terminal, as Markdown, and everything measured as JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from bench.figures import AIMS, FIGURES, ratio
from bench.growth import Growth
from bench.measure import BASELINE, OURS, SUBJECTS, Measurement, Row, Spread, remarks, rows
from bench.tables import markdown_table, text_table

RESULTS = Path(__file__).parent / "results"
HEAD = ("shape", "figure", "floor", "ours", "baseline", "ours / floor", "baseline / floor", "aim")


def lines(measurements: Sequence[Measurement]) -> list[tuple[str, ...]]:
    """Return the cells of the table, a line for each labelled figure of each shape."""
    found = rows(measurements)
    return [_line(row, found) for row in found if row.figure in FIGURES]


def notes(measurements: Sequence[Measurement]) -> list[str]:
    """Return the remarks made, and in how many rounds."""
    return [
        f"{shape}, {subject}: {remark} (in {count} of {_rounds(measurements, shape, subject)} rounds)"
        for (shape, subject), counts in remarks(measurements).items()
        for remark, count in counts.items()
    ]


def text(measurements: Sequence[Measurement]) -> str:
    """Render the table for a terminal: the medians, with the least and the greatest round in brackets."""
    return "\n".join([text_table(HEAD, lines(measurements)), *notes(measurements)])


def markdown(machine: Mapping[str, str], measurements: Sequence[Measurement]) -> str:
    """Render the same table as a Markdown document."""
    listed = [f"- {note}" for note in notes(measurements)]
    table = markdown_table(HEAD, lines(measurements))
    return "\n".join([machine_line(machine), "", *table, "", *listed]).rstrip() + "\n"


def growth_lines(growths: Sequence[Growth]) -> list[str]:
    """Return Markdown tables of how costs grow, one for each size that they grow with."""
    found: list[str] = []
    for of in dict.fromkeys(growth.of for growth in growths):
        alike = [growth for growth in growths if growth.of == of]
        sizes = sorted(alike[0].costs)
        head = [f"with {of}", *(f"{size:,}" for size in sizes), "exponent", "growth"]
        cells = [
            [one.cost, *(f"{one.costs[size]:,.1f}" for size in sizes), f"{one.exponent:.2f}", one.verdict]
            for one in alike
        ]
        found += [*markdown_table(head, cells), ""]
    return found


def machine_line(machine: Mapping[str, str]) -> str:
    """Return one sentence that describes the machine."""
    return f"Machine: {'; '.join(f'{name}: {value}' for name, value in machine.items())}."


def write_growths(machine: Mapping[str, str], growths: Sequence[Growth]) -> None:
    """Write scaling.json and scaling.md to the results directory."""
    written = {"machine": machine, "growths": [asdict(one) for one in growths]}
    write_files("scaling", written, "\n".join([machine_line(machine), "", *growth_lines(growths)]))


def write_results(machine: Mapping[str, str], measurements: Sequence[Measurement]) -> None:
    """Write latest.json and latest.md to the results directory."""
    written = {"machine": machine, "measurements": [asdict(one) for one in measurements]}
    write_files("latest", written, markdown(machine, measurements))


def write_files(name: str, data: Mapping[str, object], document: str) -> None:
    """Write data as JSON and a Markdown document, both under this name, to the results directory."""
    RESULTS.mkdir(exist_ok=True)
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    (RESULTS / f"{name}.json").write_bytes(orjson.dumps(data, option=options))
    (RESULTS / f"{name}.md").write_text(document)


def read_results() -> tuple[dict[str, str], list[Measurement]]:
    """Return the machine and the measurements that `write_results` wrote last."""
    found = orjson.loads((RESULTS / "latest.json").read_bytes())
    return found["machine"], [Measurement(**one) for one in found["measurements"]]


def read_growths() -> list[Growth]:
    """Return the growths that `write_growths` wrote last; none where there is no file."""
    path = RESULTS / "scaling.json"
    found = orjson.loads(path.read_bytes())["growths"] if path.exists() else []
    return [Growth(one["cost"], one["of"], {int(size): cost for size, cost in one["costs"].items()}) for one in found]


def with_part(page: str, name: str, part: str) -> str:
    """Replace the part of a page between its markers of that name.

    Raises:
        ValueError: The page has no such markers.
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if start not in page or end not in page:
        raise ValueError(f"the page has no markers for {name}")
    return re.sub(f"{start}.*{end}", lambda _: f"{start}\n{part.strip()}\n{end}", page, flags=re.DOTALL)


def _line(row: Row, found: Sequence[Row]) -> tuple[str, ...]:
    figure = FIGURES[row.figure]
    stated = AIMS.get((row.shape, row.figure))
    aim = None if stated is None else stated.among(found, row.figure)
    met = None if aim is None else aim.met(row)
    return (
        row.shape,
        figure.label,
        *(_spread(row.spreads.get(subject), figure.digits) for subject in SUBJECTS),
        *(_ratio(row, subject) for subject in (OURS, BASELINE)),
        "" if aim is None or met is None else f"{aim.text(figure)}: {'met' if met else 'not met'}",
    )


def _spread(spread: Spread | None, digits: int) -> str:
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
