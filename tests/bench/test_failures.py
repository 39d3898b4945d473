"""A measurement that fails in the middle of a run."""

from collections.abc import Iterator

from bench.failures import record_failures
from bench.measure import OURS, Measurement, failed
from bench.processes import ProcessFailed

FIRST = Measurement("one key", OURS, 1, {"requests_per_s": 1})


def _fails() -> Iterator[Measurement]:
    yield FIRST
    raise ProcessFailed("it ended\nwith a long log")


def test_measurements_before_a_failure_are_kept_and_the_failure_is_recorded() -> None:
    first, failure = record_failures("100 keys", OURS, 1, _fails())
    assert first == FIRST
    assert (failure.shape, failure.figures, failure.remarks) == ("100 keys", {}, ("failed: it ended",))
    assert failed([first, failure])
    assert not failed([first])
