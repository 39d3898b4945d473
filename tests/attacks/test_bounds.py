"""The judgement of an attack's figures."""

from dataclasses import replace

import pytest

from tests.attacks.assault import with_reuse
from tests.attacks.bounds import ALONE, KEPT_MIB_MAX, Figures, Latencies, best, broken
from tests.attacks.tally import Tally

CALM = Figures(
    family="requests",
    name="an-attack",
    canary=Latencies(p99_ms=100, worst_ms=500),
    control=Latencies(p99_ms=0, worst_ms=0),
    updates=Latencies(p99_ms=0, worst_ms=0),
    memory_mib=256,
    after_mib=0,
    reused=False,
    cpu=1,
    starved=0,
    tally=Tally(sent=1, opened=1),
    alive=True,
)


def test_figures_at_the_bounds_break_nothing() -> None:
    assert broken(CALM, ALONE) == []


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("p99", replace(CALM, canary=Latencies(101, 500))),
        ("worst", replace(CALM, canary=Latencies(100, 501))),
        ("failed", replace(CALM, canary=Latencies(100, 500, failed=1))),
        ("memory", replace(CALM, memory_mib=257)),
        ("kept", replace(CALM, after_mib=KEPT_MIB_MAX + 1)),
        ("not ready", replace(CALM, alive=False)),
        ("not attacked", replace(CALM, tally=Tally(sent=1))),
        ("not attacked", replace(CALM, tally=Tally(opened=1))),
    ],
)
def test_bound_that_is_broken_is_named(name: str, figures: Figures) -> None:
    assert broken(figures, ALONE) == [name]


def test_delay_of_the_control_is_the_machines() -> None:
    delayed = replace(CALM, canary=Latencies(150, 900), control=Latencies(50, 400))
    assert broken(delayed, ALONE) == []
    assert broken(replace(delayed, control=Latencies(49, 399)), ALONE) == ["p99", "worst"]


def test_each_connection_may_cost_memory() -> None:
    large = replace(CALM, memory_mib=300)
    assert broken(replace(large, tally=Tally(sent=1, opened=1_000, open_max=1_000)), ALONE) == []
    assert broken(replace(large, tally=Tally(sent=1, opened=1_000, open_max=1)), ALONE) == ["memory"]


def test_memory_that_a_repetition_finds_again_is_not_kept() -> None:
    first = replace(CALM, memory_mib=200, after_mib=200)
    assert broken(with_reuse(first, replace(CALM, memory_mib=KEPT_MIB_MAX)), ALONE) == []
    assert broken(with_reuse(first, replace(CALM, memory_mib=KEPT_MIB_MAX + 1)), ALONE) == ["kept"]


def test_best_round_breaks_the_fewest_bounds() -> None:
    slow, large = replace(CALM, canary=Latencies(200, 600)), replace(CALM, memory_mib=1_000)
    assert best([slow, large], ALONE) is large
    assert best([replace(slow, canary=Latencies(200, 700)), slow], ALONE) is slow
