"""What was measured, and what several rounds of it say: medians, how far they spread, and ratios to the floor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

FLOOR, OURS, BASELINE = "floor", "ours", "baseline"
BASE = "base"
"""The commit that this tree is compared with."""
SIDES = (BASE, OURS)
SUBJECTS = (FLOOR, OURS, BASELINE)

_BUSY = 0.85
_EXHAUSTED = 0.90
FAILED = "failed"
LOAD_WAS_THE_BOTTLENECK = "the load generator was the bottleneck"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One subject under one shape of load in one round; `figures` by name, `remarks` on what to make of them."""

    shape: str
    subject: str
    round: int
    figures: Mapping[str, float]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, the least and the greatest."""

    median: float
    least: float
    greatest: float


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of a shape: what it came to for each subject, and its ratio to the floor's, round by round."""

    shape: str
    figure: str
    spreads: Mapping[str, Spread]
    ratios: Mapping[str, Spread] = field(default_factory=dict)


def turns(pair: int) -> tuple[str, ...]:
    """Return both sides in the order in which a pair measures them, which alternates against drift."""
    return SIDES if pair % 2 else SIDES[::-1]


def spread(values: Iterable[float]) -> Spread:
    """Of at least one value."""
    found = list(values)
    return Spread(median(found), min(found), max(found))


def rows(measurements: Iterable[Measurement]) -> list[Row]:
    """A row for each figure of each shape, in the order in which they first appear."""
    by_figure: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    for one in measurements:
        for figure, value in one.figures.items():
            subjects = by_figure.setdefault((one.shape, figure), {})
            subjects.setdefault(one.subject, {})[one.round] = value
    return [
        Row(
            shape,
            figure,
            {subject: spread(rounds.values()) for subject, rounds in subjects.items()},
            {
                subject: spread(ratios)
                for subject, rounds in subjects.items()
                if subject != FLOOR and (ratios := _ratios(rounds, subjects.get(FLOOR, {})))
            },
        )
        for (shape, figure), subjects in by_figure.items()
    ]


def remarks(measurements: Iterable[Measurement]) -> dict[tuple[str, str], dict[str, int]]:
    """For each shape and subject the remarks made, and in how many rounds."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for one in measurements:
        for remark in one.remarks:
            counts = found.setdefault((one.shape, one.subject), {})
            counts[remark] = counts.get(remark, 0) + 1
    return found


def failed(measurements: Iterable[Measurement]) -> bool:
    """Whether anything could not be measured."""
    return any(remark.startswith(FAILED) for one in measurements for remark in one.remarks)


def shares(wall_seconds: float, server_cpu_seconds: float, load_cpu_seconds: float) -> dict[str, float]:
    """How much of a processor each of the two used."""
    return {"server_busy": server_cpu_seconds / wall_seconds, "load_busy": load_cpu_seconds / wall_seconds}


def bottleneck(wall_seconds: float, server_cpu_seconds: float, load_cpu_seconds: float) -> tuple[str, ...]:
    """A remark where the server waited for the load generator, which had no more to give."""
    if server_cpu_seconds < _BUSY * wall_seconds and load_cpu_seconds > _EXHAUSTED * wall_seconds:
        return (LOAD_WAS_THE_BOTTLENECK,)
    return ()


def _ratios(rounds: Mapping[int, float], floors: Mapping[int, float]) -> list[float]:
    return [value / floors[number] for number, value in rounds.items() if floors.get(number)]
