"""The state machine: which state may follow which, who hears of it, and when the service is ready."""

import re
from datetime import UTC, datetime

import pytest

from kvs_graphql import state as module
from kvs_graphql.state import TRANSITIONS, InvalidTransition, Lifecycle, Moment, State


def lifecycle_in(state: State) -> Lifecycle:
    """A lifecycle that has got to a state by the shortest way."""
    lifecycle = Lifecycle()
    if state is State.LIVE:
        lifecycle.move(State.CATCHING_UP, "reading")
    if state is not State.STARTING:
        lifecycle.move(state, "first")
    return lifecycle


def transitions_drawn() -> dict[State, set[State]]:
    """The transitions that the drawing in the module's docstring shows, as the text below it explains."""
    drawing = "\n".join(line for line in (module.__doc__ or "").splitlines() if "│" in line)
    framed = {State(name) for row in re.findall("│(.*?)│", drawing) for name in re.findall(r"\w+", row)}
    ways_in = {State(after): State(before) for before, after in re.findall(r"(\w+) ──▶ (\w+)", drawing)}
    (first,), (last,) = re.findall(r"(\w+) ──▶ │", drawing), re.findall(r"│ ──▶ (\w+)", drawing)
    leading = {State(first), *framed}
    return {State(last): set()} | {
        state: {to for to in framed - {state} if ways_in.get(to, state) is state} | {State(last)} for state in leading
    }


def test_the_drawing_shows_the_table_of_transitions() -> None:
    assert transitions_drawn() == TRANSITIONS


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_only_transitions_of_the_table_are_allowed(before: State, after: State) -> None:
    lifecycle = lifecycle_in(before)
    moment = lifecycle.moment
    if after is before or after in TRANSITIONS[before]:
        lifecycle.move(after, "second")
        assert (lifecycle.moment.state, lifecycle.moment.reason) == (after, "second")
    else:
        with pytest.raises(InvalidTransition, match=f"{after.value} cannot follow {before.value}"):
            lifecycle.move(after, "second")
        assert lifecycle.moment is moment


@pytest.mark.parametrize(
    "states",
    [
        pytest.param("CATCHING_UP LIVE", id="first start"),
        pytest.param("WAITING_FOR_BROKER CATCHING_UP LIVE", id="broker away at the start"),
        pytest.param("WAITING_FOR_TOPIC WAITING_FOR_BROKER WAITING_FOR_TOPIC CATCHING_UP LIVE", id="topic missing"),
        pytest.param(
            "CATCHING_UP LIVE WAITING_FOR_TOPIC REBUILDING CATCHING_UP LIVE", id="topic deleted and recreated"
        ),
        pytest.param("CATCHING_UP LIVE WAITING_FOR_BROKER CATCHING_UP LIVE", id="broker away while live"),
        pytest.param("CATCHING_UP LIVE CATCHING_UP LIVE", id="partitions added, or a stalled consumer restarted"),
        pytest.param("REBUILDING CATCHING_UP LIVE", id="rebuild at the start"),
        pytest.param("CATCHING_UP LIVE REBUILDING CATCHING_UP LIVE", id="rebuild while live"),
        pytest.param("REBUILDING WAITING_FOR_BROKER REBUILDING CATCHING_UP LIVE", id="rebuild cut off by the broker"),
        pytest.param("REBUILDING WAITING_FOR_TOPIC REBUILDING CATCHING_UP LIVE", id="topic deleted during a rebuild"),
        pytest.param("REBUILDING CATCHING_UP REBUILDING CATCHING_UP LIVE", id="disk full during a rebuild"),
    ],
)
def test_real_sequences_are_allowed_and_can_stop_anywhere(states: str) -> None:
    sequence = [State(name) for name in states.split()]
    for length in range(len(sequence) + 1):
        lifecycle = Lifecycle()
        for state in sequence[:length]:
            lifecycle.move(state, "why")
        lifecycle.move(State.STOPPED, "a failure")
        assert lifecycle.moment.state is State.STOPPED


def test_listener_hears_the_current_moment_and_each_new_one() -> None:
    lifecycle, heard = Lifecycle(), list[tuple[State, str]]()
    lifecycle.listen(lambda moment: heard.append((moment.state, moment.reason)))
    lifecycle.move(State.CATCHING_UP, "reading")
    lifecycle.move(State.CATCHING_UP, "reading more")
    assert heard == [
        (State.STARTING, "the service is starting"),
        (State.CATCHING_UP, "reading"),
        (State.CATCHING_UP, "reading more"),
    ]


def test_same_state_and_reason_are_announced_once() -> None:
    lifecycle, heard = lifecycle_in(State.LIVE), list[Moment]()
    lifecycle.listen(heard.append)
    lifecycle.move(State.LIVE, "first")
    assert heard == [lifecycle.moment]


def test_since_changes_with_the_state_and_not_with_the_reason() -> None:
    lifecycle = lifecycle_in(State.WAITING_FOR_BROKER)
    since = lifecycle.moment.since
    while datetime.now(UTC) <= since:
        pass
    lifecycle.move(State.WAITING_FOR_BROKER, "no route")
    assert lifecycle.moment == Moment(State.WAITING_FOR_BROKER, "no route", since)
    lifecycle.move(State.WAITING_FOR_TOPIC, "no topic")
    assert lifecycle.moment.since > since


@pytest.mark.parametrize("state", [state for state in State if state is not State.LIVE])
def test_service_that_never_caught_up_is_not_ready(state: State) -> None:
    assert lifecycle_in(state).ready is False


@pytest.mark.parametrize("state", [State.WAITING_FOR_BROKER, State.WAITING_FOR_TOPIC, State.CATCHING_UP])
def test_service_that_caught_up_stays_ready_until_it_stops(state: State) -> None:
    lifecycle = lifecycle_in(State.LIVE)
    assert lifecycle.ready is True
    lifecycle.move(state, "why")
    assert lifecycle.ready is True
    lifecycle.move(State.STOPPED, "the table cannot be trusted")
    assert lifecycle.ready is False


def test_service_that_rebuilds_its_table_is_not_ready_until_it_caught_up_again() -> None:
    lifecycle = lifecycle_in(State.LIVE)
    for state in (State.REBUILDING, State.WAITING_FOR_BROKER, State.REBUILDING, State.CATCHING_UP):
        lifecycle.move(state, "why")
        assert lifecycle.ready is False
    lifecycle.move(State.LIVE, "why")
    assert lifecycle.ready is True


def test_service_is_not_ready_while_its_commits_fail() -> None:
    lifecycle = lifecycle_in(State.LIVE)
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
def test_lag_counts_committed_offsets_that_are_not_applied(
    ends: tuple[int, ...], positions: tuple[int, ...], lag: tuple[int, ...]
) -> None:
    lifecycle = Lifecycle()
    lifecycle.end_offsets = ends
    assert lifecycle.lag(positions) == lag
