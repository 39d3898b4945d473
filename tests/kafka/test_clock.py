"""How long ago the table caught up, by clocks of which one may jump."""

from dataclasses import dataclass

import pytest

from kvs_graphql.kafka.clock import CaughtUp, Clock


@dataclass
class JumpingClock(Clock):
    """Clocks that a test sets."""

    day_ms: int = 1_000_000
    since_start_ms: float = 0

    def now_ms(self) -> int:
        return self.day_ms

    def elapsed_ms(self) -> float:
        return self.since_start_ms

    def pass_ms(self, milliseconds: int) -> None:
        self.day_ms += milliseconds
        self.since_start_ms += milliseconds


@pytest.mark.parametrize(("jump_ms", "expected_ms"), [(0, 7_000), (-500_000, 7_000), (500_000, 507_000)])
def test_time_that_passed_is_not_shortened_by_a_jump_while_the_service_runs(jump_ms: int, expected_ms: int) -> None:
    clock = JumpingClock()
    caught_up = CaughtUp(clock)
    recorded_ms = caught_up.note()
    clock.pass_ms(7_000)
    clock.day_ms += jump_ms
    assert caught_up.ago_ms(recorded_ms) == expected_ms


def test_time_that_passed_before_the_start_counts_after_a_jump_back() -> None:
    clock = JumpingClock()
    caught_up = CaughtUp(clock)
    recorded_ms = clock.now_ms() - 5_000
    assert caught_up.ago_ms(recorded_ms) == 5_000
    clock.pass_ms(1_000)
    clock.day_ms -= 500_000
    assert caught_up.ago_ms(recorded_ms) == 6_000


def test_time_in_the_future_stays_so_until_the_table_caught_up() -> None:
    clock = JumpingClock()
    caught_up = CaughtUp(clock)
    recorded_ms = clock.now_ms() + 9_000
    assert caught_up.ago_ms(recorded_ms) == -9_000
    clock.pass_ms(1_000)
    assert caught_up.ago_ms(recorded_ms) == -8_000
    clock.pass_ms(1_000)
    assert caught_up.ago_ms(caught_up.note()) == 0


def test_clocks_of_this_machine_go_forward() -> None:
    clock = Clock()
    first = clock.elapsed_ms()
    assert clock.elapsed_ms() >= first
    assert clock.now_ms() > 1_000_000_000_000
