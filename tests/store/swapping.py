"""A process that rebuilds the table at a path in a shadow store and swaps the two. Run with `python -m`."""

import asyncio
import sys
from pathlib import Path

from kvs_graphql.store import Store, open_store
from tests.store.batches import ROOMY, TOPIC_ID, batch, record

OLD_TOPIC_ID = bytes(16)
ROWS = 15


async def fill(store: Store, topic_id: bytes, value: bytes) -> None:
    """Begin a table of `ROWS` entries with this value."""
    await store.begin("topic", topic_id, (0,))
    await store.apply(batch(*(record(b"k%03d" % n, value * 200, n) for n in range(ROWS))))
    await store.caught_up(1)


async def rebuild(path: Path) -> None:
    """Replace the table with one of other values."""
    async with open_store(path, ROOMY, readers=1) as store:
        async with store.shadow() as shadow:
            await fill(shadow, TOPIC_ID, b"new")
        await store.swap()


if __name__ == "__main__":
    asyncio.run(rebuild(Path(sys.argv[1])))
