"""The states of a watch: the table of transitions is complete, and watches keep to it."""

from contextlib import aclosing
from pathlib import Path
from random import Random

import pytest

from kvs_graphql.watch import TRANSITIONS, Start, WatchState
from tests.simulation.scenario import simulate
from tests.simulation.world import in_virtual_time, run
from tests.watch.table import open_table

SEEDS_MAX = 150


def test_every_state_has_its_transitions() -> None:
    assert set(TRANSITIONS) == set(WatchState)
    assert all(TRANSITIONS.values()), "a watch has no end"


def test_every_state_is_reachable_and_only_the_first_is_left_for_good() -> None:
    reached, frontier = set[WatchState](), {WatchState.STARTING}
    while frontier:
        frontier = set[WatchState]().union(*(TRANSITIONS[state] for state in frontier)) - reached
        reached |= frontier
    assert reached == set(WatchState) - {WatchState.STARTING}


def test_simulated_watches_take_the_transitions_of_the_table_and_no_others(tmp_path: Path) -> None:
    allowed = {(state, following) for state, successors in TRANSITIONS.items() for following in successors}
    taken = set[tuple[WatchState, WatchState]]()
    for seed in range(SEEDS_MAX):
        directory = tmp_path / str(seed)
        directory.mkdir()
        clients = run(simulate(Random(seed), directory))
        taken |= {one for client in clients for watch in client.watches for one in watch.transitions}
        if taken == allowed:
            break
    assert taken == allowed


@in_virtual_time
async def test_transition_that_is_not_in_the_table_is_a_programmer_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRANSITIONS, WatchState.STARTING, frozenset())
    async with open_table(tmp_path) as table, aclosing(table.new_watch().updates(Start())) as pages:
        with pytest.raises(AssertionError, match="does not lead to"):
            await anext(pages)
