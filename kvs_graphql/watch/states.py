"""The states of a watch, and how it starts.

STARTING ──▶ SNAPSHOT ◀── RESETTING       the table from the beginning
 │ │            │             ▲
 │ ▼            ▼             │ what the client holds cannot be gone on from
 │ UNSYNCED ──────────────────┘
 │  ▲     ◀──▶ REPLAYING                  every change since the cursor
 │  │     ◀──▶ CONFLATING                 the latest state of each key changed since
 ▼  ▼
SYNCED                                    following the feed
"""

from dataclasses import dataclass
from enum import Enum, auto

from kvs_graphql.cursor import Cursor


class WatchState(Enum):
    """What a watch is doing."""

    STARTING = auto()
    UNSYNCED = auto()
    SNAPSHOT = auto()
    REPLAYING = auto()
    CONFLATING = auto()
    RESETTING = auto()
    SYNCED = auto()


TRANSITIONS: dict[WatchState, frozenset[WatchState]] = {
    WatchState.STARTING: frozenset({WatchState.SNAPSHOT, WatchState.UNSYNCED, WatchState.SYNCED, WatchState.RESETTING}),
    WatchState.SNAPSHOT: frozenset({WatchState.UNSYNCED, WatchState.RESETTING}),
    WatchState.UNSYNCED: frozenset(
        {WatchState.SYNCED, WatchState.REPLAYING, WatchState.CONFLATING, WatchState.RESETTING}
    ),
    WatchState.REPLAYING: frozenset({WatchState.UNSYNCED}),
    WatchState.CONFLATING: frozenset({WatchState.UNSYNCED}),
    WatchState.SYNCED: frozenset({WatchState.UNSYNCED}),
    WatchState.RESETTING: frozenset({WatchState.SNAPSHOT}),
}
"""From each state, the states that may follow it."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a watch begins: at a cursor, with a snapshot, or (neither) from now on; and how it goes on."""

    after: Cursor | None = None
    snapshot: bool = False
    progress: bool = False
    interval: float | None = None
    """Seconds between two deliveries, each with only the latest change of a key; None: every change at once."""


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """`page_max`: updates read or taken at once. `page_bytes_max`: bytes after which a page ends.

    `progress_seconds`: the time between two PROGRESS markers. `arguments_bytes_max` and `pages_bytes_max`: what all
    watches together may hold of their arguments, and of pages. `reads_max`: how many of them read at the same time.
    `rows_max`: entries or changes looked at in one read.
    """

    page_max: int
    page_bytes_max: int
    progress_seconds: float
    arguments_bytes_max: int
    pages_bytes_max: int
    reads_max: int = 1
    rows_max: int = 5_000
