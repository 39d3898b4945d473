"""The table of all attacks."""

from collections.abc import Iterable

from bench.tables import text_table
from tests.attacks.bounds import Bounds, Figures, broken

HEAD = (
    *("family", "attack", "canary p99 ms", "worst ms", "control p99 ms", "worst ms", "update worst ms"),
    *("memory MiB", "after MiB", "processors", "starved %", "breaks"),
)


def text(judged: Iterable[tuple[Figures, Bounds]]) -> str:
    """Render the table, a line for each attack."""
    return text_table(HEAD, [line(figures, bounds) for figures, bounds in judged])


def line(figures: Figures, bounds: Bounds) -> tuple[str, ...]:
    """Return the cells of one attack."""
    numbers = (
        *(figures.canary.p99_ms, figures.canary.worst_ms, figures.control.p99_ms, figures.control.worst_ms),
        *(figures.updates.worst_ms, figures.memory_mib, figures.after_mib),
    )
    return (
        figures.family,
        figures.name,
        *(f"{number:,.0f}" for number in numbers),
        f"{figures.cpu:.1f}",
        f"{figures.starved:.0%}".rstrip("%"),
        ", ".join(broken(figures, bounds)) or "nothing",
    )


def answers(figures: Figures) -> str:
    """Return how the service answered, as text."""
    tally = figures.tally
    outcomes = ", ".join(f"{outcome}: {number:,}" for outcome, number in tally.outcomes.most_common()) or "no answer"
    return f"{tally.opened:,} connections, {tally.sent:,} sent; {outcomes}"
