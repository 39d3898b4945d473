"""SQLite alone: the service's own store, given the same batches, without Kafka or anything else running.

The file is empty, or one that the service wrote; then the records after its positions are applied. Of Debezium's
envelopes, the `op` is read, too.
"""

import asyncio
import gc
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from bench.floors.log import batches, read_from
from bench.load.worker import Harness, Specification, run
from bench.payments import op_reader
from kvs_graphql.records import Batch
from kvs_graphql.settings import load_settings
from kvs_graphql.store import Store, WindowLimits, open_store

_TOPIC_ID = bytes(15) + b"\x01"


async def work(harness: Harness, specification: Specification) -> None:
    """Apply the missing records, and build the indexes where there are none; send how long it took."""
    settings = load_settings()
    limits = WindowLimits(settings.window_changes_max, settings.window_bytes_max, settings.remembered_deletes_max)
    async with open_store(Path(specification["database"]), limits, readers=1) as store:
        runs = await asyncio.to_thread(
            read_from, specification["bootstrap_servers"], specification["topic"], store.positions
        )
        prepared = list(batches(runs, store.positions, settings))
        # Keep the garbage collector from scanning the prepared records again and again.
        gc.collect()
        gc.freeze()
        read = op_reader() if specification.get("envelopes") else None
        began, cpu_began = time.perf_counter(), time.process_time()
        records = await _apply(store, specification["topic"], prepared, read)
        harness.send(
            records=records,
            seconds=time.perf_counter() - began,
            cpu_seconds=time.process_time() - cpu_began,
        )


async def _apply(store: Store, topic: str, prepared: list[Batch], read: Callable[[bytes], str] | None) -> int:
    if store.source is None:
        await store.begin(topic, _TOPIC_ID, tuple(0 for _ in prepared[0].positions))
    records = 0
    for batch in prepared:
        if read is not None:
            for record in chain.from_iterable(batch.runs):
                assert record.value is not None
                read(record.value)
        commit = await store.apply(batch)
        records += len(commit.changes)
    await store.caught_up(int(time.time() * 1000))
    return records


if __name__ == "__main__":
    run(work)
