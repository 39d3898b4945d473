"""The feed's log: recent commits in memory, bounded by their number of changes and their bytes, over all tables.

A feed keeps records nowhere else: what is derived from a commit goes with it, and watchers keep positions only.
"""

from collections import deque
from collections.abc import Callable
from operator import attrgetter

from kvs_graphql.feed.updates import LoggedCommit
from kvs_graphql.records import Commit, Positions, covers

_SHARED_CHANGES_MAX = 4_096
# About the memory that objects and references take: of a change besides its key, value and headers, of a commit, and
# of its position in one partition.
_BYTES_PER_CHANGE, _BYTES_PER_COMMIT, _BYTES_PER_POSITION = 256, 1_024, 32


_changes, _bytes = attrgetter("changes"), attrgetter("bytes")


class LogBudget:
    """The changes and the bytes that logs may hold together.

    The log that holds most drops its oldest commits first. So a flood in one table costs a quiet one nothing: a log
    that holds no more than an equal share keeps everything.
    """

    def __init__(self, *, changes_max: int, bytes_max: int) -> None:
        self.changes = 0
        self.bytes = 0
        self._changes_max = changes_max
        self._bytes_max = bytes_max
        self._logs: list[CommitLog] = []

    def add(self, log: "CommitLog") -> None:
        """Count what a new log will hold."""
        self._logs.append(log)

    def trim(self) -> None:
        """Drop commits until the logs keep to the limits."""
        while self.changes > self._changes_max:
            max(self._logs, key=_changes).drop_oldest()
        while self.bytes > self._bytes_max:
            max(self._logs, key=_bytes).drop_oldest()


class CommitLog:
    """Commits with consecutive indexes, from `first` up to but not including `end`; the oldest are dropped."""

    def __init__(
        self, positions: Positions, budget: LogBudget, on_drop: Callable[[int], None], table: str = ""
    ) -> None:
        """`on_drop` is called with `first` after each commit that is dropped for the budget."""
        self.positions = positions
        """Everything below is in the log, or was before the log began."""
        self.changes = 0
        self.bytes = 0
        self._budget = budget
        self._on_drop = on_drop
        self._table = table
        self.first = 0
        self._commits: deque[LoggedCommit] = deque()
        self._shared: deque[LoggedCommit] = deque()
        self._shared_changes = 0
        budget.add(self)

    @property
    def end(self) -> int:
        return self.first + len(self._commits)

    def append(self, topic_id: bytes, commit: Commit) -> LoggedCommit:
        """Append a commit, and return it as logged; trim the budget afterwards."""
        logged = LoggedCommit(topic_id, commit, self._table)
        self._commits.append(logged)
        self._share(logged)
        self._count(len(commit.changes), _bytes_of(commit))
        self.positions = commit.after
        return logged

    def drop_oldest(self) -> None:
        """Drop the oldest commit."""
        dropped = self._commits.popleft()
        self.first += 1
        self._count(-len(dropped.commit.changes), -_bytes_of(dropped.commit))
        if self._shared and self._shared[0] is dropped:
            self._unshare_oldest()
        self._on_drop(self.first)

    def clear(self, positions: Positions) -> None:
        """Drop everything; the log goes on from `positions`."""
        self.first = self.end
        self.positions = positions
        self._commits.clear()
        self._shared.clear()
        self._shared_changes = 0
        self._count(-self.changes, -self.bytes)

    def holds(self, positions: Positions) -> bool:
        """Whether the log reaches back to `positions`."""
        start = self._commits[0].commit.before if self._commits else self.positions
        return covers(positions, start)

    def index_of(self, positions: Positions) -> int:
        """The index of the first commit that may have a change not below `positions`."""
        low, high = 0, len(self._commits)
        # Positions only grow from one commit to the next: a binary search.
        while low < high:
            middle = (low + high) // 2
            if covers(positions, self._commits[middle].commit.after):
                low = middle + 1
            else:
                high = middle
        return self.first + low

    def at(self, index: int) -> LoggedCommit | None:
        """The commit at an index that was not dropped; None at the end of the log."""
        return self._commits[index - self.first] if index < self.end else None

    def _count(self, changes: int, size_bytes: int) -> None:
        self.changes += changes
        self.bytes += size_bytes
        self._budget.changes += changes
        self._budget.bytes += size_bytes

    def _share(self, logged: LoggedCommit) -> None:
        """Keep the updates of the newest commits, so that all synced watchers take the very same objects."""
        self._shared.append(logged)
        self._shared_changes += len(logged.commit.changes)
        while self._shared_changes > _SHARED_CHANGES_MAX and len(self._shared) > 1:
            self._unshare_oldest()

    def _unshare_oldest(self) -> None:
        oldest = self._shared.popleft()
        self._shared_changes -= len(oldest.commit.changes)
        oldest.unshare()


def _bytes_of(commit: Commit) -> int:
    objects = _BYTES_PER_COMMIT + len(commit.changes) * _BYTES_PER_CHANGE + len(commit.after) * _BYTES_PER_POSITION
    return commit.size_bytes + objects
