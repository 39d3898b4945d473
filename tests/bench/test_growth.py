"""The growth of a cost."""

import pytest

from bench.growth import Growth

SIZES = (10, 1_000, 100_000)


@pytest.mark.parametrize(
    ("power", "verdict"), [(0.0, "flat"), (0.5, "less than linear"), (1.0, "linear"), (1.5, "worse than linear")]
)
def test_the_exponent_of_a_power_law_is_found_and_named(power: float, verdict: str) -> None:
    growth = Growth("a change", "watches", {size: 3 * size**power for size in SIZES})
    assert growth.exponent == pytest.approx(power)
    assert growth.verdict == verdict


def test_a_cost_that_falls_is_flat() -> None:
    assert Growth("a request", "connections", {1: 200, 16: 70, 256: 60}).verdict == "flat"
