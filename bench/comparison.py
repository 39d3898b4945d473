"""The comparison of two trees: for each shape, the ratio of their costs, its interval and the verdict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import geometric_mean

from bench.figures import FIGURES
from bench.intervals import PAIRS_MIN, RatioInterval, ratio_interval
from bench.measure import BASE, OURS, Measurement
from bench.report import machine_line, notes, write_files
from bench.tables import markdown_table, text_table

BROKEN, KEPT, UNCLEAR = "broken", "kept", "unclear"
COSTS = ("cpu_us_per_request", "cpu_us_per_delivery", "cpu_us_per_record")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A cost of one shape: its geometric means on both sides, and the interval of this tree's ratio to the base."""

    shape: str
    cost: str
    pairs: int
    base: float
    ours: float
    interval: RatioInterval

    def verdict(self, bound: float) -> str:
        """Return whether the interval lies below the bound (kept), above it (broken), or around it (unclear)."""
        if self.interval.low > bound:
            return BROKEN
        return KEPT if self.interval.high <= bound else UNCLEAR


def compare(measurements: Iterable[Measurement]) -> list[Comparison]:
    """Compare every cost of every shape that has at least PAIRS_MIN rounds with both sides."""
    costs: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
    for one in measurements:
        for cost in COSTS:
            if cost in one.figures:
                costs.setdefault((one.shape, cost), {}).setdefault(one.round, {})[one.subject] = one.figures[cost]
    return [
        _comparison(shape, cost, pairs)
        for (shape, cost), rounds in costs.items()
        if len(pairs := _pairs(rounds)) >= PAIRS_MIN
    ]


def broken(comparisons: Iterable[Comparison], bound: float) -> bool:
    """Tell whether any interval lies wholly above the bound."""
    return any(one.verdict(bound) == BROKEN for one in comparisons)


def comparison_text(comparisons: Sequence[Comparison], measurements: Sequence[Measurement], bound: float) -> str:
    """Render the comparison for a terminal, with the notes."""
    return "\n".join([text_table(_head(bound), _lines(comparisons, bound)), *notes(measurements)])


def write_comparison(
    machine: Mapping[str, str],
    base: str,
    comparisons: Sequence[Comparison],
    measurements: Sequence[Measurement],
    bound: float,
) -> None:
    """Write comparison.json and comparison.md to the results directory; `base` names the commit."""
    written = {
        "machine": machine,
        "base": base,
        "bound": bound,
        "comparisons": [{**asdict(one), "verdict": one.verdict(bound)} for one in comparisons],
        "measurements": [asdict(one) for one in measurements],
    }
    listed = [f"- {note}" for note in notes(measurements)]
    table = markdown_table(_head(bound), _lines(comparisons, bound))
    document = "\n".join([f"Base: {base}. {machine_line(machine)}", "", *table, "", *listed]).rstrip() + "\n"
    write_files("comparison", written, document)


def _head(bound: float) -> tuple[str, ...]:
    return ("shape", "figure", "pairs", "base", "this tree", "ratio", "95 % interval", f"≤ {bound:g}")


def _lines(comparisons: Iterable[Comparison], bound: float) -> list[tuple[str, ...]]:
    return [
        (
            one.shape,
            FIGURES[one.cost].label,
            str(one.pairs),
            f"{one.base:,.{FIGURES[one.cost].digits}f}",
            f"{one.ours:,.{FIGURES[one.cost].digits}f}",
            f"{one.interval.ratio:.3f}",
            f"{one.interval.low:.3f}–{one.interval.high:.3f}",
            one.verdict(bound),
        )
        for one in comparisons
    ]


def _pairs(rounds: Mapping[int, Mapping[str, float]]) -> list[tuple[float, float]]:
    """Return base and ours of each round that has both."""
    return [(costs[BASE], costs[OURS]) for costs in rounds.values() if BASE in costs and OURS in costs]


def _comparison(shape: str, cost: str, pairs: Sequence[tuple[float, float]]) -> Comparison:
    interval = ratio_interval([ours / base for base, ours in pairs])
    base, ours = (geometric_mean(side) for side in zip(*pairs, strict=True))
    return Comparison(shape, cost, len(pairs), base, ours, interval)
