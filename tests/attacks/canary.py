"""The canary: a small request at a steady pace, to the service and to the control, and updates of one key.

A latency counts from the moment at which the request was due, also while the answer to the one before is awaited: a
service that stands still for a second delays all requests of that second.
"""

import asyncio
from time import perf_counter
from typing import Any

import orjson
from confluent_kafka import Producer

from bench.load.frames import TEXT, Reader, frame, handshake
from bench.load.worker import Harness, Specification, percentiles_ms, run
from bench.queries import PATH
from tests.attacks.data import CANARY
from tests.attacks.target import HOST, PROTOCOL, post

_PERIOD_SECONDS = 0.02
# So many requests become due in the half second that an answer may take at worst. With fewer connections, a delay would
# hold up the requests behind it, which are of other clients.
_CONNECTIONS = 25
_UPDATE_PERIOD_SECONDS = 0.2
_RECONNECT_SECONDS = 0.1
_REQUEST = post(f'{{ value(key: "{CANARY}") {{ value }} }}')
_EXPECTED = b'{"value":{"value":"'
_END_OF_HEAD = b"\r\n\r\n"
_CHUNK = 64 * 1024
_UPDATES = f'subscription {{ updates(keys: ["{CANARY}"], snapshot: true) {{ entry {{ value }} }} }}'


class Pulse:
    """Requests to one server, each sent when it is due, or as soon as a connection is free."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._due: asyncio.Queue[float] = asyncio.Queue()
        self._stopped = False
        self._waiting: set[float] = set()
        self._seconds: list[float] = []
        self._failed = 0  # answers without the value, and connections that ended instead of answering

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_CONNECTIONS):
                group.create_task(self._ask())
            due = perf_counter()
            while not self._stopped:
                self._waiting.add(due)
                self._due.put_nowait(due)
                due += _PERIOD_SECONDS
                await asyncio.sleep(max(0.0, due - perf_counter()))

    async def stop(self) -> None:
        """Let no further request become due; return when all are answered."""
        self._stopped = True
        await self._due.join()

    def figures(self) -> dict[str, float]:
        """Return latencies in milliseconds, and how many requests failed.

        Requests without an answer failed, too, and count with the time that they have waited.
        """
        now = perf_counter()
        seconds = [*self._seconds, *(now - due for due in self._waiting)]
        failed = self._failed + len(self._waiting)
        return {**percentiles_ms(seconds), "worst_ms": max(seconds, default=0.0) * 1_000, "failed": failed}

    async def _ask(self) -> None:
        while True:
            try:
                await self._ask_on_one_connection()
            except (OSError, EOFError):
                self._failed += 1
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _ask_on_one_connection(self) -> None:
        reader, writer = await asyncio.open_connection(HOST, self._port)
        try:
            while True:
                due = await self._due.get()
                try:
                    await self._answer(reader, writer)
                except (OSError, EOFError):
                    self._due.put_nowait(due)
                    raise
                else:
                    self._seconds.append(perf_counter() - due)
                    self._waiting.discard(due)
                finally:
                    self._due.task_done()
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_REQUEST)
        answer = await reader.readuntil(_END_OF_HEAD) + await reader.read(_CHUNK)
        self._failed += _EXPECTED not in answer


class Updates:
    """Writes a key now and then, once it is watched, and times its updates, and how long that watch took to begin."""

    def __init__(self, port: int, bootstrap_servers: str, topic: str) -> None:
        self._port = port
        self._topic = topic
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 0, "log_level": 3})
        self._written: dict[bytes, float] = {}
        self._began = perf_counter()
        self._is_watched = asyncio.Event()
        self.seconds: list[float] = []

    async def run(self) -> None:
        """Write, and read updates, until cancelled."""
        reading = asyncio.ensure_future(self._read())
        try:
            await self._is_watched.wait()
            for number in range(1_000_000):
                value = b"%d" % number
                self._written[value] = perf_counter()
                self._producer.produce(self._topic, value, CANARY.encode())
                self._producer.poll(0)
                await asyncio.sleep(_UPDATE_PERIOD_SECONDS)
        finally:
            reading.cancel()

    def figures(self) -> dict[str, float]:
        """Return latencies in milliseconds; what has not arrived counts with the time that it has waited."""
        now = perf_counter()
        waiting = self._written.values() if self._is_watched.is_set() else [self._began]
        seconds = [*self.seconds, *(now - since for since in waiting)]
        return {**percentiles_ms(seconds), "worst_ms": max(seconds, default=0.0) * 1_000}

    async def _read(self) -> None:
        reader, writer = await asyncio.open_connection(HOST, self._port)
        payload = {"query": _UPDATES}
        writer.write(handshake(self._port, PATH, PROTOCOL))
        await reader.readuntil(_END_OF_HEAD)
        writer.write(frame(b'{"type":"connection_init"}'))
        writer.write(frame(orjson.dumps({"id": "1", "type": "subscribe", "payload": payload})))
        messages = Reader()
        messages.upgraded = True
        try:
            while data := await reader.read(_CHUNK):
                for opcode, buffer, start, end in messages.messages(data):
                    if opcode == TEXT:
                        self._arrived(orjson.loads(buffer[start:end]))
        finally:
            writer.transport.abort()

    def _arrived(self, message: dict[str, Any]) -> None:
        if message["type"] != "next":
            return
        if not self._is_watched.is_set():
            # The first event is of the snapshot.
            self._is_watched.set()
            self.seconds.append(perf_counter() - self._began)
        entry = message["payload"]["data"]["updates"]["entry"]
        # Markers have no entry, and another canary's value is none of these.
        written = self._written.pop(entry["value"].encode(), None) if entry else None
        if written is not None:
            self.seconds.append(perf_counter() - written)


async def work(harness: Harness, specification: Specification) -> None:
    """Ask from each command to the next, and send the latencies."""
    harness.send(event="ready")
    while True:
        await harness.receive()
        pulses = [Pulse(specification["service"]), Pulse(specification["control"])]
        updates = Updates(specification["service"], specification["bootstrap_servers"], specification["topic"])
        working = [*(asyncio.ensure_future(pulse.run()) for pulse in pulses), asyncio.ensure_future(updates.run())]
        harness.send(event="started")
        seconds_max = (await harness.receive())["seconds_max"]
        await asyncio.wait([asyncio.ensure_future(pulse.stop()) for pulse in pulses], timeout=seconds_max)
        service, control = (pulse.figures() for pulse in pulses)
        harness.send(service=service, control=control, updates=updates.figures())
        for task in working:
            task.cancel()
        await asyncio.wait(working)


if __name__ == "__main__":
    run(work)
