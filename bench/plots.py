"""Plots for the documentation, as SVG that suits a light and a dark page."""

import re
from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from pathlib import Path

import pygal
from pygal.style import Style

from bench.figures import share_percent
from bench.measure import BASELINE, FLOOR, OURS, SUBJECTS, Measurement, Row, rows

SHARES_TITLE = "Share of the floor, in percent (throughput, or processor time)"
LATENCIES_TITLE = "p99 in milliseconds, on a logarithmic scale"

# Scripts for browsers, and comments that contain the date.
_NOT_SHOWN = re.compile(r"<script.*?</script>|<!--.*?-->", re.DOTALL)
_GREY, _GUIDES = "#808080", "#80808060"
_WHOLE_MIN = 10
_COLORS = {FLOOR: "#9e9e9e", OURS: "#1e88e5", BASELINE: "#fb8c00"}
_WIDTH, _BAR_HEIGHT, _FRAME_HEIGHT = 900, 44, 110

SHARES: Mapping[str, str] = {
    "one key": "requests_per_s",
    "100 keys": "requests_per_s",
    "a page of 1,000": "requests_per_s",
    "catch up, empty table": "records_per_s",
    "catch up, far behind": "records_per_s",
    "1,000 subscribers, same keys, flat out": "cpu_us_per_delivery",
    "1,000 subscribers over SSE, same keys, flat out": "cpu_us_per_delivery",
    "1,000 subscribers, own keys, 10 updates/s each": "cpu_us_per_delivery",
}
"""The figure of each shape that shows how close it comes to the floor."""


def draw(measurements: Sequence[Measurement], directory: Path) -> dict[str, Path]:
    """Draw the plots; return the file of each title."""
    found = rows(measurements)
    directory.mkdir(parents=True, exist_ok=True)
    plots = {
        SHARES_TITLE: (directory / "performance-shares.svg", _shares(found)),
        LATENCIES_TITLE: (directory / "performance-latencies.svg", _latencies(found)),
    }
    for path, plot in plots.values():
        path.write_text(_NOT_SHOWN.sub("", plot.render(is_unicode=True)))
    return {title: path for title, (path, _) in plots.items()}


def _shares(found: Sequence[Row]) -> pygal.HorizontalBar:
    shown = [row for row in found if SHARES.get(row.shape) == row.figure]
    plot = _plot(SHARES_TITLE, len(shown), (OURS, BASELINE))
    plot.range = (0, 100)
    return _filled(
        plot, shown, {subject: [share_percent(row, subject) for row in shown] for subject in (OURS, BASELINE)}
    )


def _latencies(found: Sequence[Row]) -> pygal.HorizontalBar:
    shown = [row for row in found if row.figure == "p99_ms" and FLOOR in row.spreads and OURS in row.spreads]
    plot = _plot(LATENCIES_TITLE, len(shown), SUBJECTS)
    plot.logarithmic = True
    shortest, longest = _decades([spread.median for row in shown for spread in row.spreads.values()])
    # The bars start here.
    plot.zero = 10.0**shortest
    plot.range = (10.0**shortest, 10.0**longest)
    plot.y_labels = [10.0**power for power in range(shortest, longest + 1)]
    values = {
        subject: [row.spreads[subject].median if subject in row.spreads else None for row in shown]
        for subject in SUBJECTS
    }
    return _filled(plot, shown, values)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Return the powers of ten below and above all values."""
    if not values:
        return 0, 1
    return floor(log10(min(values))), ceil(log10(max(values)))


def _plot(title: str, bars: int, subjects: Sequence[str]) -> pygal.HorizontalBar:
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=_GREY,
        foreground_strong=_GREY,
        foreground_subtle=_GREY,
        colors=tuple(_COLORS[subject] for subject in subjects),
        guide_stroke_color=_GUIDES,
        major_guide_stroke_color=_GUIDES,
        opacity=1,
        font_family="sans-serif",
        label_font_size=12,
        major_label_font_size=12,
    )
    return pygal.HorizontalBar(
        title=title,
        style=style,
        width=_WIDTH,
        height=_FRAME_HEIGHT + bars * _BAR_HEIGHT,
        explicit_size=True,
        legend_at_bottom=True,
        legend_at_bottom_columns=len(subjects),
        value_formatter=lambda value: f"{value:,.0f}" if value >= _WHOLE_MIN else f"{value:.2g}",
        # No scripts, and equal figures give an equal file.
        js=(),
        no_prefix=True,
    )


def _filled(
    plot: pygal.HorizontalBar, shown: Sequence[Row], values: Mapping[str, list[float | None]]
) -> pygal.HorizontalBar:
    # pygal draws bars from the bottom up.
    plot.x_labels = [row.shape for row in reversed(shown)]
    for subject, of_subject in values.items():
        plot.add(subject, of_subject[::-1])
    return plot
