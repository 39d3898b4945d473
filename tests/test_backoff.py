"""Backoff: pauses that grow, are spread, and stay below their limit."""

from random import Random
from statistics import mean

from kvs_graphql.backoff import Backoff


def pauses(backoff: Backoff, count: int) -> list[float]:
    return [backoff.next_pause() for _ in range(count)]


def test_same_seed_gives_the_same_pauses() -> None:
    assert pauses(Backoff(0.5, 8.0, Random(1)), 20) == pauses(Backoff(0.5, 8.0, Random(1)), 20)


def test_pause_is_between_zero_and_a_doubling_ceiling() -> None:
    runs = [pauses(Backoff(0.5, 8.0, Random(seed)), 7) for seed in range(1_000)]
    for ceiling, spread in zip((0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0), zip(*runs, strict=True), strict=True):
        assert 0.0 <= min(spread) < 0.05 * ceiling
        assert 0.95 * ceiling < max(spread) <= ceiling
        assert 0.45 * ceiling < mean(spread) < 0.55 * ceiling


def test_reset_starts_over_with_short_pauses() -> None:
    backoff = Backoff(0.5, 8.0, Random(2))
    pauses(backoff, 10)
    backoff.reset()
    assert backoff.next_pause() <= 0.5


def test_limit_below_the_first_pause_holds() -> None:
    assert max(pauses(Backoff(0.5, 0.1, Random(3)), 100)) <= 0.1


def test_outage_of_thousands_of_attempts_does_not_overflow() -> None:
    assert max(pauses(Backoff(0.5, 8.0, Random(4)), 5_000)) <= 8.0


def test_two_clients_do_not_come_back_together() -> None:
    assert pauses(Backoff(0.5, 8.0), 5) != pauses(Backoff(0.5, 8.0), 5)
