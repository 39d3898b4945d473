"""The statistics of several rounds."""

from bench.measure import FLOOR, LOAD_WAS_THE_BOTTLENECK, OURS, Measurement, Spread, bottleneck, remarks, rows


def _measured(subject: str, number: int, value: float, *remarked: str) -> Measurement:
    return Measurement("one key", subject, number, {"requests_per_s": value}, remarked)


def test_the_ratio_to_the_floor_is_the_median_of_the_ratios_of_each_round() -> None:
    # The machine is half as fast in the second round, for both subjects.
    measured = [
        _measured(FLOOR, 1, 10_000),
        _measured(OURS, 1, 5_000),
        _measured(FLOOR, 2, 5_000),
        _measured(OURS, 2, 2_500),
        _measured(FLOOR, 3, 10_000),
        _measured(OURS, 3, 6_000),
    ]
    (row,) = rows(measured)
    assert row.spreads[OURS] == Spread(5_000, 2_500, 6_000)
    assert row.ratios[OURS] == Spread(0.5, 0.5, 0.6)
    assert FLOOR not in row.ratios


def test_a_round_without_a_floor_has_no_ratio() -> None:
    (row,) = rows([_measured(OURS, 1, 5_000), _measured(FLOOR, 2, 10_000)])
    assert row.ratios == {}


def test_a_busy_load_generator_and_an_idle_server_are_remarked() -> None:
    assert bottleneck(10, 6, 9.5) == (LOAD_WAS_THE_BOTTLENECK,)
    assert bottleneck(10, 9.5, 9.5) == ()
    assert bottleneck(10, 6, 5) == ()


def test_remarks_are_counted_over_all_rounds() -> None:
    measured = [_measured(OURS, 1, 1, "odd"), _measured(OURS, 2, 1, "odd"), _measured(OURS, 3, 1)]
    assert remarks(measured) == {("one key", OURS): {"odd": 2}}
