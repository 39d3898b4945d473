"""A bounded load: sets and deletes of random keys, produced in the background."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from tests.kafka.produce import produce
from tests.kafka.topics import wait_until

RECORDS_A_CALL = 20
RECORDS_MAX = 10_000
PAUSE_SECONDS = 0.1


@dataclass
class Load:
    """How many records Kafka has acknowledged."""

    records: int = 0

    async def more(self, records: int, seconds_max: float = 30) -> None:
        """Return once Kafka has acknowledged so many more records."""
        wanted = self.records + records
        await asyncio.to_thread(wait_until, lambda: self.records >= wanted, f"{records} more records", seconds_max)


@asynccontextmanager
async def loading(servers: str, topic: str, seed: int, keys: int = 50, deletes: float = 0.25) -> AsyncIterator[Load]:
    """Produce while the context is open, at most RECORDS_MAX records.

    Raises at the end if a record could not be delivered, even after retries.
    """
    load, random, stop = Load(), Random(seed), asyncio.Event()

    async def write() -> None:
        while not stop.is_set() and load.records < RECORDS_MAX:
            numbers = range(load.records, load.records + RECORDS_A_CALL)
            records = [
                (b"key-%d" % random.randrange(keys), None if random.random() < deletes else b"%d" % number)
                for number in numbers
            ]
            load.records += await asyncio.to_thread(produce, servers, topic, records)
            await asyncio.sleep(PAUSE_SECONDS)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        try:
            yield load
        finally:
            stop.set()
