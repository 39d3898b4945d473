"""Conflation: of each key only the latest change."""

from kvs_graphql.feed import Update, Watcher
from kvs_graphql.records import Positions, covers
from kvs_graphql.watch.quotas import Quotas


async def conflate(watcher: Watcher, taken: list[Update], until: Positions, quotas: Quotas) -> bool:
    """Leave in `taken`, and of what else can be taken up to `until`, only the last change of each key.

    Ends early, in turns, at the keys or the bytes of a page. Returns whether any change was left out.
    """
    latest: dict[bytes, Update] = {}
    more, number = list(taken), 0
    limit, bytes_max = quotas.page_max, quotas.pages.page_bytes
    while more:
        number += len(more)
        for update in more:
            assert update.record is not None
            latest.pop(update.record.key, None)
            latest[update.record.key] = update
        size = sum(update.record.size_bytes for update in latest.values() if update.record is not None)
        if len(latest) >= limit or size >= bytes_max or covers(watcher.positions, until):
            break
        await quotas.turns.next()
        more = watcher.take(limit, bytes_max)
    taken[:] = latest.values()
    return len(latest) < number
