"""Failed measurements, which are recorded so that a long run keeps the others."""

from collections.abc import Iterator

from bench.measure import FAILED, Measurement
from bench.processes import ProcessFailed


def record_failures(shape: str, subject: str, number: int, work: Iterator[Measurement]) -> Iterator[Measurement]:
    """Yield measurements; when a process fails, yield a measurement with a remark instead of the rest."""
    try:
        yield from work
    except ProcessFailed as failure:
        yield Measurement(shape, subject, number, {}, (f"{FAILED}: {str(failure).splitlines()[0]}",))
