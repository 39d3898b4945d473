"""Updates, and the logged commits that they are made from."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from kvs_graphql.cursor import Cursor, CursorSource, PartitionCursors
from kvs_graphql.records import Commit, Interest, Record


class Kind(StrEnum):
    """What an update says: of a key (SET, DELETE, SNAPSHOT), or of the subscription (the others: markers)."""

    SET = "SET"
    DELETE = "DELETE"
    SNAPSHOT = "SNAPSHOT"
    CONFLATED = "CONFLATED"
    RESET = "RESET"
    LIVE = "LIVE"
    PROGRESS = "PROGRESS"


_SET, _DELETE = Kind.SET, Kind.DELETE


def kind_of(record: Record) -> Kind:
    """What a change says: a tombstone deletes its key."""
    # Called for every change: looking up enum members costs more than the rest.
    return _DELETE if record.value is None else _SET


class Update(NamedTuple):
    """One event of a watch; `record` is None in markers. `cursor_source` stands just after it."""

    kind: Kind
    cursor_source: CursorSource
    record: Record | None = None

    @property
    def cursor(self) -> Cursor:
        return self.cursor_source.cursor_at(self.record)

    def token(self) -> str:
        """The token of the cursor."""
        return self.cursor_source.token_at(self.record)


def without_contents(update: Update) -> Update:
    """The update of a change without key, value and headers: its cursor is the same, and it keeps no memory."""
    record = update.record
    assert record is not None
    return Update(update.kind, update.cursor_source, Record(b"", None, record.partition, record.offset, None, None))


class LoggedCommit:
    """A commit in the log, and what is derived from it once for all watchers."""

    def __init__(self, topic_id: bytes, commit: Commit, table: str = "") -> None:
        self.table = table
        self.topic_id = topic_id
        self.commit = commit
        self._updates: dict[int, Update] | None = {}
        self._cursors: dict[int, PartitionCursors] = {}

    @cached_property
    def _by_key(self) -> dict[bytes, list[int]]:
        by_key: dict[bytes, list[int]] = defaultdict(list)
        for index, record in enumerate(self.commit.changes):
            by_key[record.key].append(index)
        return by_key

    def matching(self, interest: Interest, start: int) -> Iterable[int]:
        """The indexes of the changes that match from `start` on, ascending."""
        changes = self.commit.changes
        if interest.everything:
            return range(start, len(changes))
        if interest.prefix is None and interest.keys is not None:
            by_key = self._by_key
            fewer, more = sorted((interest.keys, by_key.keys()), key=len)
            found = [by_key[key] for key in fewer if key in more]
            indexes = found[0] if len(found) == 1 else sorted(index for indexes in found for index in indexes)
            return indexes[bisect_left(indexes, start) :] if start else indexes
        return (index for index in range(start, len(changes)) if interest.matches(changes[index].key))

    def update(self, index: int) -> Update:
        """The update of a change: the same object for every caller while the commit is new."""
        if self._updates is None:
            return self.new_update(index)
        update = self._updates.get(index)
        if update is None:
            update = self._updates[index] = self.new_update(index)
        return update

    def unshare(self) -> None:
        """Stop keeping updates: every caller gets a new one."""
        self._updates = None

    def new_update(self, index: int) -> Update:
        """The update of a change, as an object that nobody else has."""
        record = self.commit.changes[index]
        cursors = self._cursors.get(record.partition) or self._cursors_of(record.partition)
        return Update(kind_of(record), cursors, record)

    def _cursors_of(self, partition: int) -> PartitionCursors:
        """The cursors of a partition's changes: partitions ascend in a commit, so lower ones are done, higher not."""
        before, after = self.commit.before, self.commit.after
        lower, higher = after[:partition], before[partition + 1 :]
        cursors = PartitionCursors(self.topic_id, lower, higher, self.commit.epochs, self.table)
        self._cursors[partition] = cursors
        return cursors
