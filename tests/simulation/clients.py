"""Simulated clients, which check everything that they receive."""

import asyncio
from contextlib import aclosing
from random import Random

from kvs_graphql.cursor import Cursor, decode_cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.feed import Flush, Sink, Update
from kvs_graphql.records import Interest, Positions, advance, covers
from kvs_graphql.watch import Quotas, Start, Watch, WatchState
from tests.simulation.cluster import Cluster
from tests.simulation.replicas import Replica
from tests.simulation.views import LogsView

Transition = tuple[WatchState, WatchState]


class ObservedWatch(Watch):
    """A watch that records the transitions between its states."""

    transitions: list[Transition]
    _observed: WatchState

    @property
    def state(self) -> WatchState:
        return self._observed

    @state.setter
    def state(self, state: WatchState) -> None:
        if state is WatchState.STARTING:
            self.transitions = []
        else:
            self.transitions.append((self._observed, state))
        self._observed = state


class SimulatedClient:
    """Reads at its own pace, is cut off, and resumes after its last cursor, on any replica."""

    def __init__(self, random: Random, cluster: Cluster, quotas: Quotas) -> None:
        self._random = random
        self._quotas = quotas
        prefix = random.choice((None, b"a"))
        keys = None if prefix and random.random() < 0.5 else frozenset((b"a0", b"b1", b"b2"))
        self.interest = random.choice((Interest(), Interest(keys, prefix)))
        self.view = LogsView(cluster, self.interest)
        self._snapshot = random.random() < 0.5
        self._interval = random.choice((None, None, 0.002))
        self._delivers_directly = random.random() < 0.5
        self._taken: list[Update] = []
        self._until: Positions = ()
        self._table = ""
        self._left = 0.0
        self.violations: list[AssertionError] = []
        self.watches: list[ObservedWatch] = []
        self._resume: Cursor | None = None

    def claim_unreachable_cursor(self) -> None:
        """Resume after a cursor that the log never reached, or that is of another topic."""
        if self._resume is not None:
            past = self._resume._replace(positions=advance(self._resume.positions, 0, 1_000_000))
            self._resume = self._random.choice((past, self._resume._replace(topic_id=bytes(16))))
            self.view.lose()

    async def follow(self, replica: Replica, until: Positions, *, updates_max: float = float("inf")) -> None:
        """Read until the cursor covers `until`, or `updates_max` updates arrived."""
        validator = CursorValidator(replica.feed, replica.lifecycle.refreshes)
        watch = ObservedWatch(replica.store, replica.feed, self.interest, self._quotas, validator)
        holds_table = not self._snapshot and replica.is_settled
        snapshot = self._resume is None and not holds_table
        self._until, self._left, self._table = until, updates_max, replica.table
        self.watches.append(watch)
        sink = Sink(self._encode, self._send) if self._delivers_directly else None
        start = Start(self._resume, snapshot, progress=True, interval=self._interval)
        if self._resume is None and holds_table:
            self.view.begin(replica.feed.positions, replica.store.entries())
        async with aclosing(watch.updates(start, sink)) as pages:
            async for page in pages:
                for update in page:
                    self._see(update)
                    if self._left <= 0:
                        return
                if covers(self.view.cursor, until) and self.view.live:
                    return
                if self._random.random() < 0.3:
                    await asyncio.sleep(0.001)

    def _encode(self, update: Update) -> Update | None:
        if self._random.random() < 0.05:
            raise RuntimeError("a rendering that fails")
        return None if self._random.random() < 0.05 else update

    def _send(self, update: Update) -> Flush | None:
        """Take an update directly, or have no room for it; the last one is never taken directly."""
        if (
            self._random.random() < 0.2
            or self._left - len(self._taken) <= 1
            or covers(update.cursor.positions, self._until)
        ):
            return None
        self._taken.append(update)
        return self._flush

    def _flush(self) -> None:
        taken, self._taken = self._taken, []
        try:
            for update in taken:
                self._see(update)
        except AssertionError as violation:
            # Direct delivery only reports errors; the test raises this one.
            self.violations.append(violation)

    def _see(self, update: Update) -> None:
        self.view.see(update)
        # A client has the token alone.
        self._resume = decode_cursor(update.token(), self._table)
        # It has no epochs of partitions that it has no positions of.
        assert self._resume == update.cursor._replace(epochs=self._resume.epochs)
        self._left -= 1
