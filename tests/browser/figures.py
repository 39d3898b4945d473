"""How the dashboard does under load: `python -m tests.browser.figures --keys 100000 --rate 5000 --seconds 600`.

A broker, a producer, the service and the browser run on this machine, each in processes of its own. Frames, tasks and
times suffer where other work takes the processors; the processor time of the page's main thread, in percent of one
processor, hardly does. What a message costs there is compared with a page that parses the same messages and no more.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection

from tests.browser.devtools import Tab, browsing
from tests.browser.load import changing, serving_many
from tests.browser.needs import missing

PORT = 8765
# A plot and the history of a key that changes many times a second, beside the table.
VIEW = "?plot=hot~~/value&key=hot"
SETTLE_SECONDS = 5.0
QUIET_SECONDS = 10.0
SCROLL_SECONDS = 15.0
MEGABYTE = 1_000_000

COUNT_MESSAGES = """
globalThis.received = { messages: 0, bytes: 0 };
globalThis.WebSocket = class extends WebSocket {
  constructor(...parts) {
    super(...parts);
    this.addEventListener("message", ({ data }) => {
      received.messages += 1;
      received.bytes += data.length;
    });
  }
};
"""
START = """
() => {
  const watch = (globalThis.watch = { frames: [], tasks: [], running: true });
  const frame = (time) => {
    watch.frames.push(time);
    if (watch.running) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  watch.observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) watch.tasks.push(duration);
  });
  watch.observer.observe({ entryTypes: ["longtask"] });
}
"""
STOP = """
() => {
  watch.running = false;
  watch.observer.disconnect();
  const gaps = watch.frames.slice(1).map((time, i) => time - watch.frames[i]).sort((a, b) => a - b);
  return {
    frames: gaps.length,
    gap95: gaps[Math.floor(gaps.length * 0.95)] ?? 0,
    gapMost: gaps.at(-1) ?? 0,
    tasks: watch.tasks.length,
    taskMost: Math.max(0, ...watch.tasks),
    tasksTotal: watch.tasks.reduce((sum, duration) => sum + duration, 0),
    ...received,
  };
}
"""
# Up and down through the whole table, a screen a frame: faster than anybody scrolls.
SCROLL = """
(seconds) => new Promise((resolve) => {
  const grid = document.getElementById("grid");
  const end = performance.now() + seconds * 1000;
  let step = grid.clientHeight;
  const scroll = () => {
    const before = grid.scrollTop;
    grid.scrollTop += step;
    if (grid.scrollTop === before) step = -step;
    if (performance.now() < end) requestAnimationFrame(scroll);
    else resolve();
  };
  scroll();
})
"""
# Done when the table is complete.
LOADED = """
(text) => new Promise((resolve) => {
  const look = () => {
    const count = document.querySelector(".count")?.textContent;
    const state = document.querySelector(".strip .state .number")?.textContent;
    if (count === text && state === "Live") resolve();
    else setTimeout(look, 100);
  };
  look();
})
"""
# The table's own subscription, of which every message is parsed and nothing else is done; done when it is live.
PARSE = """
(query) => new Promise((resolve) => {
  const variables = { interval: 0.25 };
  const socket = new WebSocket(`ws://${location.host}/graphql`, "graphql-transport-ws");
  socket.onopen = () => socket.send(JSON.stringify({ type: "connection_init" }));
  socket.onmessage = ({ data }) => {
    const { type, payload } = JSON.parse(data);
    if (type === "connection_ack") {
      socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query, variables } }));
    } else if (payload?.data?.updates.kind === "LIVE") resolve();
  };
})
"""
QUERY = """subscription ($interval: Float) {
  updates(snapshot: true, progress: true, interval: $interval, keyEncoding: BASE64) {
    kind cursor partition offset timestamp key(encoding: BASE64) entry { value(encoding: BASE64) }
  }
}"""
POSITIONS = "{ status { partitions { position } } }"
HEAD = (
    "",
    "frames/s",
    "95 % of frames within",
    "longest frame",
    "main thread: processor time",
    "in tasks",
    "long tasks: number, total, longest",
    "changes/s applied by the service",
    "messages/s to the page",
    "a second",
    "heap after",
)


@dataclass(frozen=True)
class Reading:
    """The page's own counters at one time."""

    at: float
    processor_seconds: float
    busy_seconds: float
    messages: int
    bytes: int
    applied: int
    """Records that the service has applied."""


@dataclass(frozen=True)
class Span:
    """Between two readings."""

    before: Reading
    after: Reading

    @property
    def seconds(self) -> float:
        return self.after.at - self.before.at

    @property
    def processor_share(self) -> float:
        """Of one processor."""
        return (self.after.processor_seconds - self.before.processor_seconds) / self.seconds

    @property
    def busy_share(self) -> float:
        return (self.after.busy_seconds - self.before.busy_seconds) / self.seconds

    def rate(self, name: str) -> float:
        """Of a counter, a second."""
        return float(getattr(self.after, name) - getattr(self.before, name)) / self.seconds

    def message_microseconds(self, quiet_share: float = 0) -> float:
        """What a message costs the main thread, beyond what it costs the page to be there."""
        return (self.processor_share - quiet_share) / self.rate("messages") * 1e6


class Meter:
    """Measures an open page."""

    def __init__(self, tab: Tab, http: httpx.AsyncClient) -> None:
        self._tab = tab
        self._http = http

    async def heap(self) -> float:
        """MB of JavaScript objects that are in use."""
        await self._tab.send("HeapProfiler.collectGarbage")
        return (await self._tab.metrics())["JSHeapUsedSize"] / MEGABYTE

    async def processor_seconds(self) -> float:
        """What the main thread has used since the page began."""
        return (await self._tab.metrics())["ThreadTime"]

    async def measure(self, name: str, seconds: float, *, scroll: bool = False) -> Span:
        """Watch the page for that long, and print what was seen."""
        before = await self._read()
        await self._tab.evaluate(f"({START})()")
        if scroll:
            await self._tab.evaluate(f"({SCROLL})({seconds})")
        else:
            await asyncio.sleep(seconds)
        seen: dict[str, float] = await self._tab.evaluate(f"({STOP})()")
        span = Span(before, await self._read())
        columns = (
            name,
            f"{seen['frames'] / span.seconds:.0f}",
            f"{seen['gap95']:.0f} ms",
            f"{seen['gapMost']:.0f} ms",
            f"{span.processor_share:.0%}",
            f"{span.busy_share:.0%}",
            f"{seen['tasks']:.0f}, {seen['tasksTotal'] / 1000:.1f} s, {seen['taskMost']:.0f} ms",
            f"{span.rate('applied'):,.0f}",
            f"{span.rate('messages'):,.0f}",
            f"{span.rate('bytes') / 1000:,.0f} kB",
            f"{await self.heap():.1f} MB",
        )
        print(f"| {' | '.join(columns)} |", flush=True)
        return span

    async def _read(self) -> Reading:
        metrics = await self._tab.metrics()
        received = await self._tab.evaluate("received")
        status = (await self._http.post("/graphql", json={"query": POSITIONS})).json()["data"]["status"]
        applied = sum(partition["position"] for partition in status["partitions"])
        return Reading(
            metrics["Timestamp"],
            metrics["ThreadTime"],
            metrics["TaskDuration"],
            received["messages"],
            received["bytes"],
            applied,
        )


@dataclass(frozen=True)
class Session:
    """What there is to measure with."""

    socket: ClientConnection
    http: httpx.AsyncClient
    servers: str
    url: str
    keys: int
    rate: float
    seconds: float

    @property
    def name(self) -> str:
        return f"{self.rate:,.0f} changes/s"

    @asynccontextmanager
    async def loaded(self, name: str, path: str, load: str) -> AsyncIterator[Meter]:
        """A page that is open at a path, once the JavaScript `load` is done; prints what loading took."""
        began = time.monotonic()
        tab = await Tab.open(self.socket, f"{self.url}{path}", COUNT_MESSAGES)
        try:
            await tab.evaluate(load)
            meter = Meter(tab, self.http)
            used = await meter.processor_seconds()
            print(f"\n{name}: {self.keys:,} keys after {time.monotonic() - began:.1f} s, {used:.1f} s of a processor\n")
            print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
            yield meter
        finally:
            await tab.close()

    async def dashboard(self) -> float:
        """Measure the dashboard; how many microseconds of its main thread a message costs."""
        load = f"({LOADED})({json.dumps(f'{self.keys + 1:,} keys')})"
        async with self.loaded("The dashboard", f"/{VIEW}", load) as meter:
            quiet = await meter.measure("nothing changes", QUIET_SECONDS)
            await meter.measure("nothing changes, scrolling", SCROLL_SECONDS, scroll=True)
            async with changing(self.servers, self.keys, self.rate):
                await asyncio.sleep(SETTLE_SECONDS)
                await meter.measure(self.name, QUIET_SECONDS)
                await meter.measure(f"{self.name}, scrolling", SCROLL_SECONDS, scroll=True)
                busy = await meter.measure(self.name, self.seconds)
        return busy.message_microseconds(quiet.processor_share)

    async def parser(self) -> float:
        """Measure a page that parses the same messages and does nothing with them."""
        load = f"({PARSE})({json.dumps(QUERY)})"
        async with (
            self.loaded("A page that only parses", "/healthz", load) as meter,
            changing(self.servers, self.keys, self.rate),
        ):
            await asyncio.sleep(SETTLE_SECONDS)
            busy = await meter.measure(self.name, QUIET_SECONDS)
        return busy.message_microseconds()


async def report(arguments: argparse.Namespace) -> None:
    """Everything measured, as tables in Markdown."""
    with tempfile.TemporaryDirectory() as directory:
        async with (
            serving_many(arguments.keys, Path(directory), PORT) as (servers, url),
            httpx.AsyncClient(base_url=url, timeout=60) as http,
            browsing() as socket,
        ):
            session = Session(socket, http, servers, url, arguments.keys, arguments.rate, arguments.seconds)
            ours, least = await session.dashboard(), await session.parser()
    print(f"\na message costs the main thread {ours:.0f} µs, {ours / least:.1f} times the {least:.0f} µs of parsing it")
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[1]:.1f}")


def main() -> None:
    """Run everything, and print what was measured."""
    parser = argparse.ArgumentParser(description="Measure the dashboard under load.")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=5_000, help="changes a second (default 5000)")
    parser.add_argument("--seconds", type=float, default=60, help="how long the last measurement takes (default 60)")
    arguments = parser.parse_args()
    if reason := missing():
        parser.exit(1, f"{reason}\n")
    asyncio.run(report(arguments))


if __name__ == "__main__":
    main()
