"""The confidence interval of paired ratios."""

from math import exp

import pytest

from bench.intervals import ratio_interval


def test_interval_of_a_known_sample_is_found() -> None:
    # The logs are 1, 2 and 3: mean 2, standard deviation 1, t = 4.303, so a margin of 4.303 / √3 = 2.4843.
    interval = ratio_interval([exp(1), exp(2), exp(3)])
    assert interval.ratio == pytest.approx(exp(2))
    assert interval.low == pytest.approx(exp(2 - 2.4843), rel=1e-4)
    assert interval.high == pytest.approx(exp(2 + 2.4843), rel=1e-4)


def test_equal_ratios_have_an_interval_of_no_width() -> None:
    interval = ratio_interval([1.2] * 10)
    assert (interval.ratio, interval.low, interval.high) == pytest.approx((1.2, 1.2, 1.2))


def test_interval_does_not_depend_on_which_side_is_the_base() -> None:
    ratios = [0.9, 1.1, 1.3, 1.0]
    interval, inverse = ratio_interval(ratios), ratio_interval([1 / ratio for ratio in ratios])
    assert (inverse.ratio, inverse.low, inverse.high) == pytest.approx(
        (1 / interval.ratio, 1 / interval.high, 1 / interval.low)
    )


def test_ten_pairs_use_nine_degrees_of_freedom() -> None:
    # Alternating logs of ±1: standard deviation √(10 / 9), so a margin of 2.262 / 3.
    assert ratio_interval([exp(1), exp(-1)] * 5).high == pytest.approx(exp(2.262 / 3))


def test_many_pairs_use_the_last_quantile_of_the_table() -> None:
    # 100 alternating logs of ±1: standard deviation √(100 / 99), so a margin of 2.042 / √99.
    assert ratio_interval([exp(1), exp(-1)] * 50).high == pytest.approx(exp(2.042 / 99**0.5))


def test_one_pair_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least 2 pairs"):
        ratio_interval([1.0])
