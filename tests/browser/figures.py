"""Measure the dashboard under load: `python -m tests.browser.figures --keys 100000 --rate 5000 --seconds 600`.

Broker, producer, service and browser run on this machine in separate processes. Other load affects frames, tasks and
durations, but hardly the CPU time of the page's main thread, given in percent of one core. The cost per message is
compared with a page that only parses the same messages.
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
# The table, with a plot and the history of a key that changes many times per second.
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
# Scrolls up and down through the table by one screen per frame, faster than any user.
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
# Resolves when the table is complete.
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
# Subscribes like the table and only parses every message. Resolves when the subscription is live.
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
POSITIONS = "{ status { tables { partitions { position } } } }"
HEAD = (
    "",
    "frames/s",
    "95 % of frames within",
    "longest frame",
    "main thread: CPU time",
    "in tasks",
    "long tasks: number, total, longest",
    "changes/s applied by the service",
    "messages/s to the page",
    "per second",
    "heap after",
)


@dataclass(frozen=True)
class Reading:
    """The counters of the page at one time."""

    at: float
    cpu_seconds: float
    busy_seconds: float
    messages: int
    bytes: int
    applied: int
    """Records that the service has applied."""


@dataclass(frozen=True)
class Span:
    """The interval between two readings."""

    before: Reading
    after: Reading

    @property
    def seconds(self) -> float:
        return self.after.at - self.before.at

    @property
    def cpu_share(self) -> float:
        """CPU time as a share of one core."""
        return (self.after.cpu_seconds - self.before.cpu_seconds) / self.seconds

    @property
    def busy_share(self) -> float:
        return (self.after.busy_seconds - self.before.busy_seconds) / self.seconds

    def rate(self, name: str) -> float:
        """Rate of a counter per second."""
        return float(getattr(self.after, name) - getattr(self.before, name)) / self.seconds

    def message_microseconds(self, idle_share: float = 0) -> float:
        """CPU time of the main thread per message, minus the share of the idle page."""
        return (self.cpu_share - idle_share) / self.rate("messages") * 1e6


class TabUsage:
    """Measures an open page."""

    def __init__(self, tab: Tab, http: httpx.AsyncClient) -> None:
        self._tab = tab
        self._http = http

    async def heap(self) -> float:
        """Return the MB of JavaScript objects in use."""
        await self._tab.send("HeapProfiler.collectGarbage")
        return (await self._tab.metrics())["JSHeapUsedSize"] / MEGABYTE

    async def cpu_seconds(self) -> float:
        """Return the CPU time of the main thread since the page was opened."""
        return (await self._tab.metrics())["ThreadTime"]

    async def measure(self, name: str, seconds: float, *, scroll: bool = False) -> Span:
        """Observe the page for this long, and print a row of the table."""
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
            f"{span.cpu_share:.0%}",
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
    """The running processes and the parameters of a measurement."""

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
    async def loaded(self, name: str, path: str, load: str) -> AsyncIterator[TabUsage]:
        """Open a page, wait for the JavaScript promise `load`, and print the cost of loading."""
        began = time.monotonic()
        tab = await Tab.open(self.socket, f"{self.url}{path}", COUNT_MESSAGES)
        try:
            await tab.evaluate(load)
            usage = TabUsage(tab, self.http)
            used = await usage.cpu_seconds()
            print(f"\n{name}: {self.keys:,} keys after {time.monotonic() - began:.1f} s, {used:.1f} s of CPU time\n")
            print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
            yield usage
        finally:
            await tab.close()

    async def dashboard(self) -> float:
        """Measure the dashboard; return the microseconds of its main thread per message."""
        load = f"({LOADED})({json.dumps(f'{self.keys + 1:,} keys')})"
        async with self.loaded("The dashboard", f"/{VIEW}", load) as usage:
            quiet = await usage.measure("nothing changes", QUIET_SECONDS)
            await usage.measure("nothing changes, scrolling", SCROLL_SECONDS, scroll=True)
            async with changing(self.servers, self.keys, self.rate):
                await asyncio.sleep(SETTLE_SECONDS)
                await usage.measure(self.name, QUIET_SECONDS)
                await usage.measure(f"{self.name}, scrolling", SCROLL_SECONDS, scroll=True)
                busy = await usage.measure(self.name, self.seconds)
        return busy.message_microseconds(quiet.cpu_share)

    async def parser(self) -> float:
        """Measure a page that only parses the same messages."""
        load = f"({PARSE})({json.dumps(QUERY)})"
        async with (
            self.loaded("A page that only parses", "/healthz", load) as usage,
            changing(self.servers, self.keys, self.rate),
        ):
            await asyncio.sleep(SETTLE_SECONDS)
            busy = await usage.measure(self.name, QUIET_SECONDS)
        return busy.message_microseconds()


async def report(arguments: argparse.Namespace) -> None:
    """Run all measurements and print them as Markdown tables."""
    with tempfile.TemporaryDirectory() as directory:
        async with (
            serving_many(arguments.keys, Path(directory), PORT) as (servers, url),
            httpx.AsyncClient(base_url=url, timeout=60) as http,
            browsing() as socket,
        ):
            session = Session(socket, http, servers, url, arguments.keys, arguments.rate, arguments.seconds)
            dashboard, parser = await session.dashboard(), await session.parser()
    ratio = dashboard / parser
    print(
        f"\nA message costs {dashboard:.0f} µs of the main thread, {ratio:.1f} times the {parser:.0f} µs of parsing it."
    )
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[1]:.1f}")


def main() -> None:
    """Parse the command line and run the measurements."""
    parser = argparse.ArgumentParser(description="Measure the dashboard under load.")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=5_000, help="changes per second (default 5000)")
    parser.add_argument("--seconds", type=float, default=60, help="duration of the last measurement (default 60)")
    arguments = parser.parse_args()
    if reason := missing():
        parser.exit(1, f"{reason}\n")
    asyncio.run(report(arguments))


if __name__ == "__main__":
    main()
