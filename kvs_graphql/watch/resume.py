"""How a client goes on from a cursor: the one place that decides it, whatever serves the client afterwards.

The order of the questions is the rule. A cursor below `deletes_known_from` gets RESET even where the feed's log, the
change window or the entries reach back to it: a table that was built after that cursor never saw the tombstones that
Kafka had dropped by then, so what it kept of its first read lacks them, too.
"""

from kvs_graphql.records import Positions, position_in
from kvs_graphql.store import Coverage
from kvs_graphql.watch.states import WatchState


def follows_from(seen: Positions, deletes_known_from: Positions) -> bool:
    """Return whether every delete since `seen` is known. A partition at 0 holds nothing that could be deleted."""
    return all(not 0 < position < known_from for position, known_from in zip(seen, deletes_known_from, strict=False))


def lost_partitions(seen: Positions, known: Coverage) -> list[int]:
    """Return the partitions in which the change window no longer holds every change since `seen`."""
    return [p for p, offset in enumerate(known.window_start) if position_in(seen, p) < offset]


def way_from_table(seen: Positions, known: Coverage) -> WatchState:
    """Return how to go on from `seen` by what the table holds."""
    if not follows_from(seen, known.deletes_known_from):
        return WatchState.RESETTING
    return WatchState.CONFLATING if lost_partitions(seen, known) else WatchState.REPLAYING
