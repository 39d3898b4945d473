"""Write 0, 1, 2, … to a few keys, and check that a subscriber received each number once."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

KEYS = 7
PAUSE_SECONDS = 0.005


class Numbers:
    """Writes consecutive numbers until `stop`."""

    def __init__(self, prefix: str) -> None:
        self.written = 0
        self._prefix = prefix.encode()
        self._changed = asyncio.Condition()
        self._stopping = self._stopped = False

    async def run(self, producer: AIOKafkaProducer, topic: str) -> None:
        while not self._stopping:
            key = self._prefix + b"%d" % (self.written % KEYS)
            await producer.send_and_wait(topic, b"%d" % self.written, key)
            self.written += 1
            await self._notify()
            await asyncio.sleep(PAUSE_SECONDS)
        self._stopped = True
        await self._notify()

    async def more(self, number: int) -> None:
        """Wait until this many more numbers are written."""
        wanted = self.written + number
        async with self._changed:
            await self._changed.wait_for(lambda: self.written >= wanted)

    async def stop(self) -> int:
        """Stop writing, and return how many numbers were written."""
        self._stopping = True
        async with self._changed:
            await self._changed.wait_for(lambda: self._stopped)
        return self.written

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def numbers(bootstrap_servers: str, topic: str, prefix: str) -> AsyncIterator[Numbers]:
    """Write numbers to keys with this prefix while the context is open."""
    numbers = Numbers(prefix)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer, asyncio.TaskGroup() as tasks:
        tasks.create_task(numbers.run(producer, topic))
        try:
            yield numbers
        finally:
            await numbers.stop()


def assert_each_once(received: list[int], written: int) -> None:
    """Assert that each number was received once, and those of each key in order."""
    assert sorted(received) == list(range(written))
    by_key: dict[int, list[int]] = defaultdict(list)
    for number in received:
        by_key[number % KEYS].append(number)
    assert all(of_key == sorted(of_key) for of_key in by_key.values())
