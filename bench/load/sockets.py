"""Subscribers: so many WebSockets with so many subscriptions each, and what arrives at them.

A socket carries several subscriptions only where each has a key of its own: the key then tells which it is.
"""

import asyncio
from time import perf_counter, time_ns
from typing import Any, cast

import orjson

from bench.data import MARK, key, read_stamp
from bench.load.deliveries import Deliveries, Wanted
from bench.load.frames import CLOSE, PING, PONG, TEXT, Reader, frame, handshake
from bench.load.worker import Harness, Specification, run
from bench.process_stats import CpuStopwatch
from bench.queries import UPDATES

GRAPHQL = "graphql-transport-ws"
_AT_ONCE = 50
_NS_A_US = 1_000
_LOOK_SECONDS = 0.005


class Closed(Exception):
    """A server closed a socket, or refused a subscription."""


class Subscribers:
    """All sockets together."""

    def __init__(self, wanted: Wanted, specification: Specification) -> None:
        self.wanted = wanted
        self.port: int = specification["port"]
        self.path: str = specification["path"]
        self.graphql: bool = specification["graphql"]
        self.a_socket: int = specification["subscriptions_a_socket"]
        self.deliveries = Deliveries(wanted, run=-1, expected=0)
        self.payload_bytes = 0
        self.sockets: list[Socket] = []
        self.failure: str | None = None

    async def open(self) -> None:
        """Connect all sockets, a few at once, and subscribe; returns when the server has read every subscription."""
        starts = range(0, self.wanted.subscriptions, self.a_socket)
        gate = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(self._open_one(start, gate) for start in starts))

    def close(self) -> None:
        """Drop every socket."""
        self.failure = "over"
        for socket in self.sockets:
            socket.drop()

    def check(self) -> None:
        """Raises Closed where a socket was."""
        if self.failure is not None:
            raise Closed(self.failure)

    async def _open_one(self, start: int, gate: asyncio.Semaphore) -> None:
        async with gate:
            socket = Socket(self, start)
            await asyncio.get_running_loop().create_connection(lambda: socket, "127.0.0.1", self.port)
            self.sockets.append(socket)
            await socket.subscribed
            self.check()


class Socket(asyncio.Protocol):
    """One WebSocket with the subscriptions from `start` on."""

    def __init__(self, all_of_them: Subscribers, start: int) -> None:
        self._all = all_of_them
        self._start = start
        self._reader = Reader()
        self._greeted = False
        self._transport: asyncio.Transport | None = None
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        protocol = GRAPHQL if self._all.graphql else "bare"
        self._transport.write(handshake(self._all.port, self._all.path, protocol))

    def data_received(self, data: bytes) -> None:
        now_us = time_ns() // _NS_A_US
        subscribers = self._all
        deliveries = subscribers.deliveries
        for opcode, buffer, start, end in self._reader.messages(data):
            at = buffer.find(MARK, start, end) if opcode == TEXT else -1
            if at < 0:
                self._other(opcode, buffer[start:end])
                continue
            run_number, key_number, number, stamped_us = read_stamp(buffer, at)
            if run_number == deliveries.run:
                deliveries.add(self._start, subscribers.a_socket, key_number, number, now_us - stamped_us)
                subscribers.payload_bytes = end - start
        if not self._greeted and self._reader.upgraded:
            self._greet()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"a socket was closed: {exc}")

    def drop(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def stall(self) -> None:
        """Read nothing any more."""
        assert self._transport is not None
        self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        assert self._transport is not None
        self._transport.resume_reading()

    def _greet(self) -> None:
        self._greeted = True
        if self._all.graphql:
            self._say({"type": "connection_init"})
        else:
            self._say({"keys": [number for one in self._own() for number in self._all.wanted.key_numbers(one)]})

    def _own(self) -> range:
        return range(self._start, min(self._start + self._all.a_socket, self._all.wanted.subscriptions))

    def _other(self, opcode: int, payload: bytes) -> None:
        """Whatever is no update."""
        if opcode == TEXT:
            self._control(orjson.loads(payload))
        elif opcode == PING:
            self._write(frame(payload, PONG))
        elif opcode == CLOSE:
            self._fail(f"closed by the server: {payload!r}")

    def _control(self, message: dict[str, Any]) -> None:
        if message["type"] == "connection_ack":
            self._subscribe()
        elif message["type"] == "ping":
            self._say({"type": "pong"})
        elif message["type"] == "pong":
            self.subscribed.set_result(None)
        elif message["type"] in ("error", "complete"):
            self._fail(f"a subscription ended: {message}")

    def _subscribe(self) -> None:
        for one in self._own():
            keys = [key(number).decode() for number in self._all.wanted.key_numbers(one)]
            payload = {"query": UPDATES, "variables": {"keys": keys}}
            self._say({"id": str(one), "type": "subscribe", "payload": payload})
        # Messages are read in their order: the answer to this one says that the others were.
        self._say({"type": "ping"})

    def _say(self, message: dict[str, Any]) -> None:
        self._write(frame(orjson.dumps(message)))

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def _fail(self, reason: str) -> None:
        self._all.failure = self._all.failure or reason
        if not self.subscribed.done():
            self.subscribed.set_result(None)


async def work(harness: Harness, specification: Specification) -> None:
    """Subscribe, then take one run after the other, each until it is complete, its time is up, or nothing comes."""
    wanted = Wanted(**specification["wanted"])
    subscribers = Subscribers(wanted, specification)
    await subscribers.open()
    harness.say(event="subscribed")
    while True:
        await _run(harness, subscribers, await harness.hear(), specification["server_pid"])


async def _run(harness: Harness, subscribers: Subscribers, command: dict[str, Any], server_pid: int) -> None:
    """Take a run, or more of the last one; in a stalled one the first socket reads nothing until told."""
    if subscribers.deliveries.run != command["run"]:
        subscribers.deliveries = Deliveries(subscribers.wanted, command["run"], command["expected"])
    deliveries = subscribers.deliveries
    stalled = subscribers.sockets[0] if command["command"] == "stalled run" else None
    if stalled is not None:
        stalled.stall()
    meter = CpuStopwatch(server_pid)
    harness.say(event="ready")
    if stalled is not None:
        await harness.hear()
        stalled.go_on()
    deliveries.last_at = perf_counter()
    deadline = perf_counter() + command["seconds_max"]
    while not deliveries.complete and perf_counter() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
        subscribers.check()
        if perf_counter() - deliveries.last_at > command["silence_seconds_max"]:
            break
    used = meter.read()
    harness.say(
        seen=deliveries.seen(),
        payload_bytes=subscribers.payload_bytes,
        wall_seconds=used.wall_seconds,
        server_cpu_seconds=used.server_cpu_seconds,
        load_cpu_seconds=used.load_cpu_seconds,
        **deliveries.told(),
    )


if __name__ == "__main__":
    run(work)
