"""The state machine: what is told, to whom, and when the service is ready."""

import pytest

from kvs_graphql.state import Lifecycle, Moment, State


def test_a_listener_hears_the_present_moment_and_every_new_one() -> None:
    lifecycle, heard = Lifecycle(), list[tuple[State, str]]()
    lifecycle.listen(lambda moment: heard.append((moment.state, moment.reason)))
    lifecycle.move(State.CATCHING_UP, "reading")
    lifecycle.move(State.CATCHING_UP, "reading more")
    assert heard == [
        (State.STARTING, "the service is starting"),
        (State.CATCHING_UP, "reading"),
        (State.CATCHING_UP, "reading more"),
    ]


def test_the_same_state_for_the_same_reason_is_told_once() -> None:
    lifecycle, heard = Lifecycle(), list[Moment]()
    lifecycle.move(State.LIVE, "following")
    lifecycle.listen(heard.append)
    lifecycle.move(State.LIVE, "following")
    assert heard == [lifecycle.moment]


def test_a_new_reason_does_not_make_a_state_younger() -> None:
    lifecycle = Lifecycle()
    lifecycle.move(State.WAITING_FOR_BROKER, "refused")
    since = lifecycle.moment.since
    lifecycle.move(State.WAITING_FOR_BROKER, "no route")
    assert lifecycle.moment == Moment(State.WAITING_FOR_BROKER, "no route", since)
    lifecycle.move(State.WAITING_FOR_TOPIC, "no topic")
    assert lifecycle.moment.since > since


@pytest.mark.parametrize("state", [state for state in State if state is not State.LIVE])
def test_a_service_that_never_caught_up_is_not_ready(state: State) -> None:
    lifecycle = Lifecycle()
    lifecycle.move(state, "why")
    assert lifecycle.ready is False


@pytest.mark.parametrize("state", [state for state in State if state is not State.STOPPED])
def test_a_service_that_caught_up_stays_ready_whatever_kafka_does(state: State) -> None:
    lifecycle = Lifecycle()
    lifecycle.move(State.LIVE, "following")
    lifecycle.move(state, "why")
    assert lifecycle.ready is True


def test_a_service_that_stopped_is_not_ready_any_more() -> None:
    lifecycle = Lifecycle()
    lifecycle.move(State.LIVE, "following")
    lifecycle.move(State.STOPPED, "the table cannot be trusted")
    assert lifecycle.ready is False


def test_a_service_whose_table_takes_no_writes_is_not_ready_until_it_does() -> None:
    lifecycle = Lifecycle()
    lifecycle.move(State.LIVE, "following")
    lifecycle.writable = False
    assert lifecycle.ready is False
    lifecycle.writable = True
    assert lifecycle.ready is True


@pytest.mark.parametrize(
    ("ends", "positions", "lag"),
    [
        ((), (), ()),
        ((5, 7), (), (5, 7)),
        ((5, 7), (5, 3), (0, 4)),
        ((5,), (9,), (0,)),
        ((5, 7), (5,), (0, 7)),
    ],
)
def test_lag_is_what_kafka_has_and_the_table_lacks(
    ends: tuple[int, ...], positions: tuple[int, ...], lag: tuple[int, ...]
) -> None:
    lifecycle = Lifecycle()
    lifecycle.end_offsets = ends
    assert lifecycle.lag(positions) == lag
