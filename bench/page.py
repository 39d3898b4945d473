"""The generated parts of docs/performance.md."""

from pathlib import Path

from bench.plots import draw
from bench.processes import ROOT
from bench.report import growth_lines, markdown, read_growths, read_results, with_part

PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"


def write_page() -> list[Path]:
    """Write the last results into the page and draw its plots; return the files written."""
    machine, measurements = read_results()
    growths = read_growths()
    plots = draw(measurements, IMAGES)
    links = [f"![{title}]({path.relative_to(PAGE.parent)})" for title, path in plots.items()]
    page = with_part(PAGE.read_text(), "results", "\n\n".join([markdown(machine, measurements).strip(), *links]))
    if growths:
        page = with_part(page, "growth", "\n".join(growth_lines(growths)))
    PAGE.write_text(page)
    return [PAGE, *plots.values()]
