"""Measure how long a change in one table takes to its subscriber, alone and while another table catches up.

`python -m tests.tables.latency [--records 1000000] [--seconds 5]` prints the delays from just before a record is
produced to its arrival at a subscriber in another process than the service.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from statistics import quantiles

from confluent_kafka import Producer

from kvs_graphql.client import connect
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.process import GuardedProcess
from tests.kafka.produce import produce
from tests.ports import HOST, free_port

PARTITIONS, KEYS, VALUE_BYTES = 4, 100_000, 100
INTERVAL_SECONDS = 0.02
SETTLE_SECONDS = 2
STATES = "{ status { tables { name state } } }"
WATCH = "subscription { smallUpdates { entry { value } } }"


class Delays:
    """Writes the time to the small table again and again, and compares it with the time of each arrival."""

    def __init__(self, broker: KafkaBroker, url: str) -> None:
        self._producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 0})
        self._url = url
        self.milliseconds: list[float] = []

    async def write(self) -> None:
        """Write until cancelled."""
        while True:
            self._producer.produce("small", repr(time.time()).encode(), b"key", partition=0)
            self._producer.poll(0)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def watch(self) -> None:
        """Watch until cancelled."""
        async with connect(self._url) as client, aclosing(client.subscribe(WATCH)) as events:
            async for event in events:
                if entry := event["smallUpdates"]["entry"]:
                    self.milliseconds.append((time.time() - float(entry["value"])) * 1000)

    def report(self, name: str) -> None:
        """Print the delays since the last report."""
        delays, self.milliseconds = self.milliseconds, []
        cuts = quantiles(delays, n=100) if len(delays) > 1 else [0.0] * 99
        print(f"{name}: median {cuts[49]:.1f} ms, 99 of 100 within {cuts[98]:.1f} ms, {len(delays)} changes")


@asynccontextmanager
async def served(config: Path) -> AsyncIterator[str]:
    """Run the service in a process of its own; yield its URL once the small table is live."""
    port = free_port()
    os.environ["KVS_CONFIG"] = str(config)
    command = [sys.executable, "-m", "kvs_graphql", "serve", f"--port={port}"]
    process = GuardedProcess(command, config.with_suffix(".log"))
    try:
        url = f"http://{HOST}:{port}"
        await until_live(url, "small")
        yield url
    finally:
        await asyncio.to_thread(process.terminate, SECONDS_MAX)


async def until_live(url: str, table: str) -> None:
    """Return once a table is live."""
    async with asyncio.timeout(SECONDS_MAX), connect(url) as client:
        while True:
            try:
                tables = (await client.execute(STATES))["status"]["tables"]
            except Exception:  # noqa: BLE001 - the service is starting
                tables = []
            if {"name": table, "state": "LIVE"} in tables:
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def measured(broker: KafkaBroker, url: str) -> AsyncIterator[Delays]:
    """Write and watch for as long as the context is open."""
    delays = Delays(broker, url)
    tasks = [asyncio.create_task(work) for work in (delays.write(), delays.watch())]
    try:
        yield delays
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def measure(broker: KafkaBroker, directory: Path, records: int, seconds: float) -> None:
    """Print the delays of the small table, alone and while the large one catches up."""
    config = directory / "kvs.toml"
    tables = "".join(f'[tables.{name}]\ntopic = "{name}"\n' for name in ("small", "large"))
    head = f'bootstrap_servers = "{broker.bootstrap_servers}"\ndatabase = "{directory / "tables"}"\n'
    config.write_text(head + tables)
    async with served(config) as url, measured(broker, url) as delays:
        await asyncio.sleep(SETTLE_SECONDS)
        delays.milliseconds.clear()
        await asyncio.sleep(seconds)
        delays.report("alone")
    batch = [(b"key-%d" % (number % KEYS), bytes(VALUE_BYTES)) for number in range(records)]
    await asyncio.to_thread(produce, broker.bootstrap_servers, "large", batch)
    async with served(config) as url, measured(broker, url) as delays:
        began = time.perf_counter()
        await until_live(url, "large")
        delays.report(f"while {records} records are read in {time.perf_counter() - began:.1f} s")


def main() -> None:
    """Measure on a broker of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        broker = KafkaBroker(Path(directory, "kafka"))
        broker.start()
        try:
            broker.create_topic("small", 1)
            broker.create_topic("large", PARTITIONS, cleanup_policy="compact")
            asyncio.run(measure(broker, Path(directory), options.records, options.seconds))
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
