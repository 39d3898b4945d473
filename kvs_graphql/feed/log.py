"""The feed's log: recent commits in memory, bounded by their number of changes and their bytes.

The feed keeps records nowhere else: what is derived from a commit goes with it, and watchers keep positions only.
"""

from collections import deque

from kvs_graphql.feed.updates import LoggedCommit
from kvs_graphql.records import Commit, Positions, covers

_SHARED_CHANGES_MAX = 4_096
# About the memory that objects and references take: of a change besides its key, value and headers, of a commit, and
# of its position in one partition.
_BYTES_PER_CHANGE, _BYTES_PER_COMMIT, _BYTES_PER_POSITION = 256, 1_024, 32


class CommitLog:
    """Commits with consecutive indexes, from `first` up to but not including `end`; the oldest are dropped."""

    def __init__(self, positions: Positions, table: str = "", *, changes_max: int, bytes_max: int) -> None:
        self.positions = positions
        """Everything below is in the log, or was before the log began."""
        self._table = table
        self.first = 0
        self._changes_max = changes_max
        self._bytes_max = bytes_max
        self._commits: deque[LoggedCommit] = deque()
        self._changes = 0
        self._bytes = 0
        self._shared: deque[LoggedCommit] = deque()
        self._shared_changes = 0

    @property
    def end(self) -> int:
        return self.first + len(self._commits)

    def append(self, topic_id: bytes, commit: Commit) -> LoggedCommit:
        """Append a commit, and return it as logged; `trim` afterwards."""
        logged = LoggedCommit(topic_id, commit, self._table)
        self._commits.append(logged)
        self._share(logged)
        self._changes += len(commit.changes)
        self._bytes += _bytes_of(commit)
        self.positions = commit.after
        return logged

    def trim(self) -> None:
        """Drop the oldest commits until the log keeps to its limits."""
        while self._commits and (self._changes > self._changes_max or self._bytes > self._bytes_max):
            dropped = self._commits.popleft()
            self.first += 1
            self._changes -= len(dropped.commit.changes)
            self._bytes -= _bytes_of(dropped.commit)
            if self._shared and self._shared[0] is dropped:
                self._unshare_oldest()

    def clear(self, positions: Positions) -> None:
        """Drop everything; the log goes on from `positions`."""
        self.first = self.end
        self.positions = positions
        self._commits.clear()
        self._shared.clear()
        self._changes = self._bytes = self._shared_changes = 0

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
