"""A feed for tests, and commits to publish to it."""

from kvs_graphql.cursor import Cursor
from kvs_graphql.feed import Feed, LogBudget, Watcher
from kvs_graphql.records import Commit, Interest, Positions, Record, advance, position_in

EVERYTHING = Interest()
MANY = 1_000_000


class Source:
    """Publishes commits to a feed, as the consumer does."""

    def __init__(
        self,
        *,
        changes_max: int = 1000,
        bytes_max: int = 10**6,
        positions: Positions = (0, 0),
        budget: LogBudget | None = None,
    ) -> None:
        """`budget` replaces the limits if it is shared with other feeds."""
        own = LogBudget(changes_max=changes_max, bytes_max=bytes_max)
        self.feed = Feed(Cursor(bytes(16), positions), budget or own)

    def publish(self, *changes: tuple[int, bytes, bytes | None]) -> None:
        """Publish one commit of (partition, key, value)."""
        before = after = self.feed.positions
        records = []
        for partition, key, value in sorted(changes, key=lambda change: change[0]):
            offset = position_in(after, partition)
            records.append(Record(key, value, partition, offset, None, None))
            after = advance(after, partition, offset + 1)
        self.feed.publish(Commit(before, after, records, sum(r.size_bytes for r in records)))

    def move(self, positions: Positions) -> None:
        """Publish a commit that only advances positions."""
        self.feed.publish(Commit(self.feed.positions, positions, [], 0))


def taken(watcher: Watcher, limit: int = 100) -> list[tuple[bytes, Positions]]:
    """Take up to `limit` updates; return the key of each and the positions just after it."""
    found = []
    for update in watcher.take(limit, MANY):
        assert update.record is not None
        found.append((update.record.key, update.cursor.positions))
    return found
