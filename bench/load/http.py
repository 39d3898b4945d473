"""Load over HTTP: a number of connections that each send a request per answer, or a number of requests a second.

Requests are prepared as bytes. Only one answer in `_CHECKED_EVERY` is read and checked; of the others only the length
is. An answer other than 200 ends the run.
"""

import asyncio
import re
from collections import deque
from itertools import cycle
from random import Random
from time import perf_counter
from typing import Any, cast

from bench.load.reads import Request, is_right, prepare
from bench.load.worker import Harness, Specification, percentiles_ms, run
from bench.process_stats import CpuStopwatch

_CHECKED_EVERY = 50
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"


class WrongAnswer(Exception):
    """An answer that does not match its request."""


class Load:
    """The requests and measurements of all connections together."""

    def __init__(self, requests: list[Request], *, check: bool, seed: int) -> None:
        Random(seed).shuffle(requests)  # noqa: S311 - no secret
        self._requests = cycle(requests)
        self._check = check
        self.due: deque[float] | None = None
        # The longest idle connection is next, because servers close connections that idle for seconds.
        self.idle: deque[Connection] = deque()
        self.measuring = False
        self.stopping = False
        self.answered = 0
        self.checked = 0
        self.latencies: list[float] = []
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def next_request(self, connection: "Connection") -> None:
        """Send a connection's next request: at once, or when one is due."""
        if self.stopping:
            return
        if self.due is None:
            connection.send(next(self._requests), perf_counter(), check=self._turn_to_check())
        elif self.due:
            connection.send(next(self._requests), self.due.popleft(), check=self._turn_to_check())
        else:
            self.idle.append(connection)

    def request_due(self, moment: float) -> None:
        """Send a paced request; its latency counts from this moment, even while all connections are busy."""
        assert self.due is not None
        self.due.append(moment)
        if self.idle:
            self.next_request(self.idle.popleft())

    def answer(self, latency: float) -> None:
        if self.measuring:
            self.answered += 1
            self.latencies.append(latency)

    def fail(self, reason: str) -> None:
        self.stopping = True
        if not self.failure.done():
            self.failure.set_exception(WrongAnswer(reason))

    def _turn_to_check(self) -> bool:
        self.checked += 1
        return self._check and self.checked % _CHECKED_EVERY == 1


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
        if not self._load.stopping:
            self._load.fail(f"a connection was closed: {exc}")

    def close(self) -> None:
        """Abort the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _body_bytes(self, data: bytes, end: int) -> int:
        if data[9:12] != b"200":
            self._load.fail(f"an answer was {data[:400]!r}")
        length = _LENGTH.search(data, 0, end)
        if length is None:
            self._load.fail("an answer has no content-length")
            return 0
        return int(length[1])

    def _complete(self) -> None:
        self._load.answer(perf_counter() - self._began)
        if self._kept is not None:
            answer = b"".join(self._kept)
            assert self._request is not None
            if not is_right(self._request, answer[answer.find(_END_OF_HEAD) :]):
                self._load.fail(f"asked {self._request.data[-300:]!r}, answered {answer[:600]!r}")
        self._load.next_request(self)


async def work(harness: Harness, specification: Specification) -> None:
    """Load a server: warm up, measure for some seconds or until the harness says stop, and send the measurements."""
    requests = prepare(specification["kind"], specification["keys_total"], specification["size"], specification["seed"])
    load = Load(requests, check=specification["check"], seed=specification["seed"])
    rate: float | None = specification.get("rate")
    if rate is not None:
        load.due = deque()
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: Connection(load), "127.0.0.1", specification["port"]))[1]
        for _ in range(specification["connections"])
    ]
    pace = asyncio.ensure_future(_pace(load, rate)) if rate is not None else None
    await _pass(load, specification["warm_seconds"])
    load.measuring, stopwatch = True, CpuStopwatch(specification["server_pid"])
    if specification["seconds"] is None:
        await _until_stopped(load, harness)
    else:
        await _pass(load, specification["seconds"])
    load.measuring, load.stopping = False, True
    used = stopwatch.read()
    if pace is not None:
        pace.cancel()
    for connection in connections:
        connection.close()
    if not load.answered:
        raise WrongAnswer("no request was answered")
    harness.send(
        requests=load.answered,
        wall_seconds=used.wall_seconds,
        server_cpu_seconds=used.server_cpu_seconds,
        load_cpu_seconds=used.load_cpu_seconds,
        **percentiles_ms(load.latencies),
    )


async def _pass(load: Load, seconds: float) -> None:
    """Let time pass, unless something fails."""
    await asyncio.wait([load.failure], timeout=seconds)
    if load.failure.done():
        load.failure.result()


async def _until_stopped(load: Load, harness: Harness) -> None:
    harness.send(event="measuring")
    stop: asyncio.Future[Any] = asyncio.ensure_future(harness.receive())
    await asyncio.wait([load.failure, stop], return_when=asyncio.FIRST_COMPLETED)
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
