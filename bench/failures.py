"""A measurement that fails is told as one that failed: the others of a long run are not lost with it."""

from collections.abc import Iterator

from bench.measure import FAILED, Measurement
from bench.processes import ProcessFailed


def record_failures(shape: str, subject: str, number: int, work: Iterator[Measurement]) -> Iterator[Measurement]:
    """What the work yields; where a process fails on the way, a remark on it in the place of the rest."""
    try:
        yield from work
    except ProcessFailed as failure:
        yield Measurement(shape, subject, number, {}, (f"{FAILED}: {str(failure).splitlines()[0]}",))
