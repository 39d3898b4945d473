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
    at = clock.now()
    caught_up.note(at)
    clock.pass_ms(7_000)
    clock.day_ms += jump_ms
    assert caught_up.ago(at.day_ms) == (expected_ms, True)


def test_time_that_passed_before_the_start_counts_after_a_jump_back() -> None:
    clock = JumpingClock()
    caught_up = CaughtUp(clock)
    recorded_ms = clock.now_ms() - 5_000
    assert caught_up.ago(recorded_ms) == (5_000, False)
    clock.pass_ms(1_000)
    clock.day_ms -= 500_000
    assert caught_up.ago(recorded_ms) == (6_000, False)


def test_time_in_the_future_stays_so_until_the_table_caught_up() -> None:
    clock = JumpingClock()
    caught_up = CaughtUp(clock)
    recorded_ms = clock.now_ms() + 9_000
    assert caught_up.ago(recorded_ms) == (-9_000, False)
    clock.pass_ms(1_000)
    assert caught_up.ago(recorded_ms) == (-8_000, False)
    clock.pass_ms(1_000)
    caught_up.note(clock.now())
    assert caught_up.ago(recorded_ms) == (0, True)


def test_table_has_caught_up_with_the_moment_at_which_the_end_that_it_reached_was_asked_for() -> None:
    clock = JumpingClock()
    caught_up = CaughtUp(clock)
    asked_at = clock.now()
    caught_up.begin((10, 10), asked_at)
    clock.pass_ms(9_000)
    assert caught_up.reached((10, 9)) is None
    assert caught_up.reached((10, 10)) == asked_at


def test_table_that_never_reaches_the_newest_end_has_caught_up_with_earlier_ones() -> None:
    clock = JumpingClock()
    caught_up = CaughtUp(clock)
    asked = [clock.now()]
    caught_up.begin((10,), asked[0])
    for number in range(1, 9):
        clock.pass_ms(1_000)
        asked.append(clock.now())
        caught_up.expect((10 + 10 * number,), asked[number])
        caught_up.reached((10 * number - 5,))
    assert caught_up.at in asked[-3:]


def test_end_of_another_session_counts_no_more() -> None:
    clock = JumpingClock()
    caught_up = CaughtUp(clock)
    caught_up.begin((10,), clock.now())
    clock.pass_ms(1_000)
    began = clock.now()
    caught_up.begin((20,), began)
    assert caught_up.reached((15,)) is None
    assert caught_up.reached((20,)) == began


def test_clocks_of_this_machine_go_forward() -> None:
    clock = Clock()
    first = clock.elapsed_ms()
    assert clock.elapsed_ms() >= first
    assert clock.now_ms() > 1_000_000_000_000
