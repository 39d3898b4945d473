"""The comparison of this tree with another commit."""

import pytest

from bench.comparison import BROKEN, KEPT, UNCLEAR, Comparison, broken, compare, comparison_text
from bench.intervals import RatioInterval
from bench.measure import BASE, OURS, Measurement, turns


def _pair(number: int, base: float, ours: float, shape: str = "one key") -> list[Measurement]:
    return [
        Measurement(shape, BASE, number, {"cpu_us_per_request": base, "requests_per_s": 1}),
        Measurement(shape, OURS, number, {"cpu_us_per_request": ours, "requests_per_s": 2}),
    ]


def _interval(low: float, high: float) -> Comparison:
    return Comparison("one key", "cpu_us_per_request", 10, 100, 100, RatioInterval((low * high) ** 0.5, low, high))


def test_costs_are_compared_within_each_pair() -> None:
    # The machine is half as fast in the second pair, for both sides.
    (found,) = compare([*_pair(1, 100, 110), *_pair(2, 200, 220)])
    assert (found.shape, found.cost, found.pairs) == ("one key", "cpu_us_per_request", 2)
    assert (found.interval.ratio, found.interval.low, found.interval.high) == pytest.approx((1.1, 1.1, 1.1))
    assert found.ours / found.base == pytest.approx(1.1)


def test_a_round_with_only_one_side_is_no_pair() -> None:
    (found,) = compare([*_pair(1, 100, 100), *_pair(2, 100, 100), *_pair(3, 100, 500)[:1]])
    assert found.pairs == 2
    assert found.interval.ratio == pytest.approx(1.0)


def test_a_shape_with_one_pair_is_left_out() -> None:
    assert compare(_pair(1, 100, 100)) == []


def test_each_shape_is_compared_on_its_own() -> None:
    measured = [one for number in (1, 2) for one in (*_pair(number, 1, 2), *_pair(number, 1, 3, "100 keys"))]
    assert [(one.shape, round(one.interval.ratio)) for one in compare(measured)] == [("one key", 2), ("100 keys", 3)]


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.90, 1.04, KEPT), (1.00, 1.05, KEPT), (1.02, 1.10, UNCLEAR), (1.05, 1.20, UNCLEAR), (1.06, 1.10, BROKEN)],
)
def test_a_bound_is_broken_where_the_interval_lies_wholly_above_it(low: float, high: float, verdict: str) -> None:
    assert _interval(low, high).verdict(1.05) == verdict
    assert broken([_interval(0.9, 1.0), _interval(low, high)], 1.05) == (verdict == BROKEN)


def test_report_shows_both_sides_the_ratio_the_interval_and_the_verdict() -> None:
    measured = [*_pair(1, 100, 150), *_pair(2, 100, 150), Measurement("100 keys", OURS, 1, {}, ("failed: it ended",))]
    shown = comparison_text(compare(measured), measured, 1.05)
    for cell in ("one key", "server CPU µs per request", "100.0", "150.0", "1.500", "1.500–1.500", "≤ 1.05", BROKEN):
        assert cell in shown
    assert shown.endswith("100 keys, ours: failed: it ended (in 1 of 1 rounds)")


def test_the_order_alternates_from_pair_to_pair() -> None:
    assert [turns(pair) for pair in (1, 2, 3)] == [(BASE, OURS), (OURS, BASE), (BASE, OURS)]
