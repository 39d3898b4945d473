"""Load over HTTP: a number of connections that each send a request per answer, or a number of requests a second.

Requests are prepared as bytes. Only one answer in `_CHECKED_EVERY` is read and checked; of the others only the length
is. An answer other than 200 ends the run.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable
from itertools import cycle
from random import Random
from time import perf_counter
from typing import Any, cast

from bench.load.reads import Request, is_right, prepare
from bench.load.worker import Harness, Specification, percentiles_ms, run
from bench.process_stats import CpuStopwatch
from bench.queries import ENTRY

_CHECKED_EVERY = 50
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"


class WrongAnswer(Exception):
    """An answer that does not match its request."""


class Load:
    """The requests and measurements of all connections together; paused until `resume`."""

    def __init__(self, requests: list[Request], *, check: bool, seed: int, paced: bool) -> None:
        Random(seed).shuffle(requests)  # noqa: S311 - no secret
        self._requests = cycle(requests)
        self._check = check
        self._checked = 0
        self._due: deque[float] | None = deque() if paced else None
        # The longest idle connection is next, because servers close connections that idle for seconds.
        self._idle: deque[Connection] = deque()
        self._busy = 0
        self._paused = True
        self._drained = asyncio.Event()
        self.latencies: list[float] = []
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        """Send requests again, and measure them from here on."""
        self._paused = False
        self._drained.clear()
        self.latencies = []
        if self._due is None:
            connections, self._idle = self._idle, deque()
            for connection in connections:
                self.next_request(connection)

    async def pause(self) -> None:
        """Send no more requests; return when every request has its answer."""
        self._paused = True
        if self._busy:
            await self._drained.wait()

    def next_request(self, connection: "Connection") -> None:
        """Send a connection's next request: at once, or when one is due."""
        if self._paused or (self._due is not None and not self._due):
            self._idle.append(connection)
            return
        moment = perf_counter() if self._due is None else self._due.popleft()
        self._busy += 1
        connection.send(next(self._requests), moment, check=self._turn_to_check())

    def request_due(self, moment: float) -> None:
        """Send a paced request; its latency counts from this moment, even while all connections are busy."""
        assert self._due is not None
        self._due.append(moment)
        if self._idle:
            self.next_request(self._idle.popleft())

    def complete(self, connection: "Connection", latency: float) -> None:
        """Record an answer, and send the connection's next request."""
        self.latencies.append(latency)
        self._busy -= 1
        self.next_request(connection)
        if not self._busy:
            self._drained.set()

    def fail(self, reason: str) -> None:
        self._paused = True
        if not self.failure.done():
            self.failure.set_exception(WrongAnswer(reason))

    def _turn_to_check(self) -> bool:
        self._checked += 1
        return self._check and self._checked % _CHECKED_EVERY == 1


class Connection(asyncio.Protocol):
    """One connection, with one request in flight at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._request: Request | None = None
        self._began = 0.0
        self._missing = 0
        self._head = b""
        self._kept: list[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not subclass asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._load.next_request(self)

    def send(self, request: Request, moment: float, *, check: bool) -> None:
        """Send a request whose latency counts from this moment."""
        assert self._transport is not None
        self._request, self._began, self._kept = request, moment, [] if check else None
        self._transport.write(request.data)

    def data_received(self, data: bytes) -> None:
        if self._missing == 0:
            data = self._head + data
            end = data.find(_END_OF_HEAD)
            if end < 0:
                self._head = data
                return
            self._head = b""
            self._missing = self._body_bytes(data, end) + end + len(_END_OF_HEAD)
        if self._kept is not None:
            self._kept.append(data)
        self._missing -= len(data)
        if self._missing == 0:
            self._complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.fail(f"a connection was closed: {exc}")

    def _body_bytes(self, data: bytes, end: int) -> int:
        if data[9:12] != b"200":
            self._load.fail(f"an answer was {data[:400]!r}")
        length = _LENGTH.search(data, 0, end)
        if length is None:
            self._load.fail("an answer has no content-length")
            return 0
        return int(length[1])

    def _complete(self) -> None:
        latency = perf_counter() - self._began
        if self._kept is not None:
            answer = b"".join(self._kept)
            assert self._request is not None
            if not is_right(self._request, answer[answer.find(_END_OF_HEAD) :]):
                self._load.fail(f"asked {self._request.data[-300:]!r}, answered {answer[:600]!r}")
        self._load.complete(self, latency)


async def work(harness: Harness, specification: Specification) -> None:
    """Connect and warm up; then measure for the `seconds` of each command, or until the next one where it has none."""
    requests = prepare(
        specification["kind"],
        specification["keys_total"],
        specification["size"],
        specification["seed"],
        entry=specification.get("entry", ENTRY),
        tokens=specification.get("tokens", ()),
    )
    rate: float | None = specification.get("rate")
    load = Load(requests, check=specification["check"], seed=specification["seed"], paced=rate is not None)
    loop = asyncio.get_running_loop()
    for _ in range(specification["connections"]):
        await loop.create_connection(lambda: Connection(load), "127.0.0.1", specification["port"])
    if specification["warm_seconds"]:
        await _measure(load, specification["server_pid"], rate, asyncio.sleep(specification["warm_seconds"]))
    harness.send(event="ready")
    while True:
        seconds = (await harness.receive())["seconds"]
        ended = harness.receive() if seconds is None else asyncio.sleep(seconds)
        harness.send(**await _measure(load, specification["server_pid"], rate, ended))


async def _measure(load: Load, server_pid: int, rate: float | None, ended: Awaitable[Any]) -> dict[str, float]:
    """Load the server until `ended`, and return the measurements of exactly the requests sent."""
    stopwatch = CpuStopwatch(server_pid)
    load.resume()
    pace = None if rate is None else asyncio.ensure_future(_pace(load, rate))
    await _unless_failed(load, ended)
    if pace is not None:
        pace.cancel()
    await _unless_failed(load, load.pause())
    used = stopwatch.read()
    if not load.latencies:
        raise WrongAnswer("no request was answered")
    return {
        "requests": len(load.latencies),
        "wall_seconds": used.wall_seconds,
        "server_cpu_seconds": used.server_cpu_seconds,
        "load_cpu_seconds": used.load_cpu_seconds,
        **percentiles_ms(load.latencies),
    }


async def _unless_failed(load: Load, awaited: Awaitable[Any]) -> None:
    """Await something, unless the load fails meanwhile."""
    ended = asyncio.ensure_future(awaited)
    await asyncio.wait([load.failure, ended], return_when=asyncio.FIRST_COMPLETED)
    if load.failure.done():
        load.failure.result()


async def _pace(load: Load, rate: float) -> None:
    """Make requests due at this rate, without waiting for answers."""
    began = perf_counter()
    number = 0
    while True:
        moment = began + number / rate
        await asyncio.sleep(max(0.0, moment - perf_counter()))
        load.request_due(moment)
        number += 1


if __name__ == "__main__":
    run(work)
