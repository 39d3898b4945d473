"""A table at the live end of a topic of one partition, without Kafka and in virtual time."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from typing import cast

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.cursor_validation import CursorValidator
from kvs_graphql.feed import Feed, LogBudget, Update
from kvs_graphql.records import Batch, Interest, Record
from kvs_graphql.state import MetadataRefreshes, TopicSnapshot
from kvs_graphql.store import Store, WindowLimits
from kvs_graphql.watch import Quotas, Start, Watch, WatchLimits
from tests.simulation.world import open_inline_store

LIMITS = WatchLimits(
    page_max=7, page_bytes_max=10_000, progress_seconds=60, arguments_bytes_max=1_000_000, pages_bytes_max=1_000_000
)


EVERYTHING = Interest()


class Table:
    """A store and its feed."""

    def __init__(self, store: Store, changes_max: int, limits: WatchLimits = LIMITS) -> None:
        self.store = store
        self.feed = Feed(Cursor(NO_TOPIC_ID, (0,)), LogBudget(changes_max=changes_max, bytes_max=1_000_000))
        self.refreshes = MetadataRefreshes()
        self.quotas = Quotas(limits)

    async def change(self, *pairs: tuple[bytes, bytes | None]) -> None:
        """Apply and publish changes in one commit."""
        (position,) = self.feed.positions
        run = [Record(key, value, 0, position + n, None, None) for n, (key, value) in enumerate(pairs)]
        batch = Batch((run,), (position + len(run),), sum(r.size_bytes for r in run), 0)
        self.feed.publish(await self.store.apply(batch))

    def refresh(self, topic_id: bytes, end: int) -> None:
        """Begin and end a metadata refresh, which finds this topic and this end."""
        self.refreshes.end(self.refreshes.begin(), TopicSnapshot(topic_id, (end,)))

    def new_watch(self, interest: Interest = EVERYTHING) -> Watch:
        validator = CursorValidator(self.feed, self.refreshes)
        return Watch(self.store, self.feed, interest, self.quotas, validator)

    def watching(
        self, after: Cursor | None = None, *, interval: float | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Update]]:
        """Watch everything, after the current positions unless a cursor is given."""
        return self._watching(Start(after or Cursor(NO_TOPIC_ID, self.feed.positions), interval=interval))

    def watching_from_now_on(self) -> AbstractAsyncContextManager[AsyncIterator[Update]]:
        """Watch everything from now on, with LIVE first."""
        return self._watching(Start(progress=True))

    def _watching(self, start: Start) -> AbstractAsyncContextManager[AsyncIterator[Update]]:
        async def updates() -> AsyncIterator[Update]:
            async with aclosing(self.new_watch().updates(start)) as pages:
                async for page in pages:
                    for update in page:
                        yield update

        return cast("AbstractAsyncContextManager[AsyncIterator[Update]]", aclosing(updates()))


@asynccontextmanager
async def open_table(
    directory: Path, *, changes_max: int = 10_000, limits: WatchLimits = LIMITS, deletes_known_from: int = 0
) -> AsyncIterator[Table]:
    """Open an empty table whose feed keeps so many changes, and which knows all deletes from that offset on."""
    async with open_inline_store(directory / "kvs.db", WindowLimits(10_000, 1_000_000, 10_000)) as store:
        await store.begin("topic", NO_TOPIC_ID, (deletes_known_from,))
        await store.caught_up(0)
        yield Table(store, changes_max, limits)
