"""Measurements, and the statistics of several rounds: medians, spreads and ratios to the floor."""

from collections.abc import Iterable, Iterator, Mapping
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
    """One subject under one shape of load in one round: figures by name, and remarks that qualify them."""

    shape: str
    subject: str
    round: int
    figures: Mapping[str, float]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, the least and the greatest of several rounds."""

    median: float
    least: float
    greatest: float


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of a shape: its spread for each subject, and the spread of the rounds' ratios to the floor."""

    shape: str
    figure: str
    spreads: Mapping[str, Spread]
    ratios: Mapping[str, Spread] = field(default_factory=dict)


def turns(pair: int, sides: tuple[str, ...] = SIDES) -> tuple[str, ...]:
    """Return both sides in the order in which a pair measures them, which alternates against drift."""
    return sides if pair % 2 else sides[::-1]


def slices(pair: int, count: int, sides: tuple[str, ...] = SIDES) -> Iterator[str]:
    """Yield whose slice is next in a pair of `count` slices a side: whatever disturbs the machine disturbs both."""
    for turn in range(count):
        yield from turns(pair + turn, sides)


def spread(values: Iterable[float]) -> Spread:
    """Return the spread of at least one value."""
    found = list(values)
    return Spread(median(found), min(found), max(found))


def rows(measurements: Iterable[Measurement]) -> list[Row]:
    """Return a row for each figure of each shape, in the order of their first appearance."""
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
    """Return the remarks on each shape and subject, and how many rounds have each."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for one in measurements:
        for remark in one.remarks:
            counts = found.setdefault((one.shape, one.subject), {})
            counts[remark] = counts.get(remark, 0) + 1
    return found


def failed(measurements: Iterable[Measurement]) -> bool:
    """Tell whether any measurement failed."""
    return any(remark.startswith(FAILED) for one in measurements for remark in one.remarks)


def shares(wall_seconds: float, server_cpu_seconds: float, load_cpu_seconds: float) -> dict[str, float]:
    """Return how much of a processor the server and the load generator used."""
    return {"server_busy": server_cpu_seconds / wall_seconds, "load_busy": load_cpu_seconds / wall_seconds}


def bottleneck(wall_seconds: float, server_cpu_seconds: float, load_cpu_seconds: float) -> tuple[str, ...]:
    """Return a remark if the server waited for a load generator that was fully busy."""
    if server_cpu_seconds < _BUSY * wall_seconds and load_cpu_seconds > _EXHAUSTED * wall_seconds:
        return (LOAD_WAS_THE_BOTTLENECK,)
    return ()


def _ratios(rounds: Mapping[int, float], floors: Mapping[int, float]) -> list[float]:
    return [value / floors[number] for number, value in rounds.items() if floors.get(number)]
