"""A topic with thousands of changes per second and a service for it, in separate processes.

The broker is a real Kafka. The embedded broker gets slower with the number of records and cannot sustain this rate.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
from confluent_kafka import Producer

from tests.kafka.broker import KafkaBroker

TOPIC = "load"
PARTITIONS = 4
HOT_KEY = b"hot"
# Share of the changes that are to the hot key.
HOT_SHARE = 0.01
STEPS_A_SECOND = 50
START_SECONDS_MAX = 60.0


def value_of(number: int) -> bytes:
    return b'{"value":%.3f,"count":%d,"state":"%s"}' % (random.gauss(50, 20), number, random.choice([b"open", b"shut"]))


def key_of(number: int) -> bytes:
    return b"sensor/%02d/%06d" % (number % 40, number)


def produce(bootstrap_servers: str, keys: int, rate: float) -> None:
    """Change `rate` random keys per second until killed."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 5, "compression.type": "lz4"})
    sent, began = 0, time.monotonic()
    while True:
        due = int((time.monotonic() - began) * rate)
        for number in range(sent, due):
            key = HOT_KEY if random.random() < HOT_SHARE else key_of(random.randrange(keys))
            producer.produce(TOPIC, value_of(number), key)
        sent = due
        producer.poll(1 / STEPS_A_SECOND)


@asynccontextmanager
async def changing(bootstrap_servers: str, keys: int, rate: float) -> AsyncIterator[None]:
    """Change `rate` random keys per second while the context is open."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.browser.load", bootstrap_servers, str(keys), str(rate)
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


def fill(bootstrap_servers: str, keys: int) -> None:
    """Write a value for every key."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "compression.type": "lz4"})
    producer.produce(TOPIC, value_of(0), HOT_KEY)
    for number in range(keys):
        producer.produce(TOPIC, value_of(0), key_of(number))
        producer.poll(0)
    producer.flush()


@asynccontextmanager
async def service(bootstrap_servers: str, directory: Path, port: int) -> AsyncIterator[str]:
    """Run `kvs-graphql serve`, and yield its URL once it has caught up."""
    flags = ("--bootstrap-servers", bootstrap_servers, "--topic", TOPIC, "--port", str(port), "--log-level", "error")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KVS_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kvs_graphql", "serve", *flags, cwd=directory, env=environment
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(START_SECONDS_MAX), httpx.AsyncClient(base_url=url) as http:
            while not await is_ready(http):  # noqa: ASYNC110 - there is no event of another process
                await asyncio.sleep(0.2)
        yield url
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def is_ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@asynccontextmanager
async def serving_many(keys: int, directory: Path, port: int) -> AsyncIterator[tuple[str, str]]:
    """Run a service with this many keys; yield the broker's address and the service's URL.

    Raises KafkaMissing without Java or Kafka's jars.
    """
    broker = KafkaBroker(directory / "kafka")
    await asyncio.to_thread(broker.start)
    try:
        await asyncio.to_thread(broker.create_topic, TOPIC, PARTITIONS)
        await asyncio.to_thread(fill, broker.bootstrap_servers, keys)
        async with service(broker.bootstrap_servers, directory, port) as url:
            yield broker.bootstrap_servers, url
    finally:
        await asyncio.to_thread(broker.stop)


if __name__ == "__main__":
    produce(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
