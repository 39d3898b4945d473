"""How the dashboard does under load: `python -m tests.browser.figures --keys 100000 --rate 5000 --seconds 600`.

A broker, a producer, the service and the browser run on this machine, each in processes of its own. What is measured
is compared with the same page in the same run while nothing changes. Frames, tasks and times suffer where other work
takes the processors; the processor time of the page's main thread, in percent of one processor, hardly does.
"""

import argparse
import asyncio
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import CDPSession, expect

from tests.browser.dashboard import Dashboard
from tests.browser.load import changing, serving_many
from tests.browser.needs import missing
from tests.browser.visits import Visitor, visiting

PORT = 8765
# A plot and the history of a key that changes many times a second, beside the table.
VIEW = "?plot=hot~~/value&key=hot"
SETTLE_SECONDS = 5.0
QUIET_SECONDS = 10.0
SCROLL_SECONDS = 15.0
LOAD_SECONDS_MAX = 120.0
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


class Meter:
    """Measures an open dashboard."""

    def __init__(self, dashboard: Dashboard, cdp: CDPSession, http: httpx.AsyncClient) -> None:
        self._page = dashboard.page
        self._cdp = cdp
        self._http = http

    async def heap(self) -> float:
        """MB of JavaScript objects that are in use."""
        await self._cdp.send("HeapProfiler.collectGarbage")
        return (await self._metrics())["JSHeapUsedSize"] / MEGABYTE

    async def measure(self, name: str, seconds: float, *, scroll: bool = False) -> None:
        """Watch the page for that long and print what was seen."""
        before = await self._read()
        await self._page.evaluate(START)
        if scroll:
            await self._page.evaluate(SCROLL, seconds)
        else:
            await asyncio.sleep(seconds)
        seen: dict[str, float] = await self._page.evaluate(STOP)
        after = await self._read()
        took = after.at - before.at
        columns = (
            name,
            f"{seen['frames'] / took:.0f}",
            f"{seen['gap95']:.0f} ms",
            f"{seen['gapMost']:.0f} ms",
            f"{100 * (after.processor_seconds - before.processor_seconds) / took:.0f} %",
            f"{100 * (after.busy_seconds - before.busy_seconds) / took:.0f} %",
            f"{seen['tasks']:.0f}, {seen['tasksTotal'] / 1000:.1f} s, {seen['taskMost']:.0f} ms",
            f"{(after.applied - before.applied) / took:,.0f}",
            f"{(after.messages - before.messages) / took:,.0f}",
            f"{(after.bytes - before.bytes) / took / 1000:,.0f} kB",
            f"{await self.heap():.1f} MB",
        )
        print(f"| {' | '.join(columns)} |", flush=True)

    async def _read(self) -> Reading:
        metrics = await self._metrics()
        received = await self._page.evaluate("received")
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

    async def processor_seconds(self) -> float:
        """What the main thread has used since the page began."""
        return (await self._metrics())["ThreadTime"]

    async def _metrics(self) -> dict[str, float]:
        found: dict[str, Any] = await self._cdp.send("Performance.getMetrics")
        return {metric["name"]: metric["value"] for metric in found["metrics"]}


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


async def report(visitor: Visitor, servers: str, url: str, arguments: argparse.Namespace) -> None:
    """Everything measured, as a table in Markdown."""
    async with (
        httpx.AsyncClient(base_url=url, timeout=LOAD_SECONDS_MAX) as http,
        visitor.dashboard(url, VIEW, script=COUNT_MESSAGES) as dashboard,
    ):
        began = time.monotonic()
        cdp = await dashboard.page.context.new_cdp_session(dashboard.page)
        await cdp.send("Performance.enable")
        meter = Meter(dashboard, cdp, http)
        count = dashboard.page.get_by_text(f"{arguments.keys + 1:,} keys", exact=True)
        await expect(count).to_be_visible(timeout=LOAD_SECONDS_MAX * 1000)
        await dashboard.is_live()
        took, used = time.monotonic() - began, await meter.processor_seconds()
        print(
            f"{arguments.keys:,} keys are there after {took:.1f} s; the main thread used {used:.1f} s of a processor\n"
        )
        print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
        await meter.measure("nothing changes", QUIET_SECONDS)
        await meter.measure("nothing changes, scrolling", SCROLL_SECONDS, scroll=True)
        async with changing(servers, arguments.keys, arguments.rate):
            await asyncio.sleep(SETTLE_SECONDS)
            busy = f"{arguments.rate:,.0f} changes/s"
            await meter.measure(busy, QUIET_SECONDS)
            await meter.measure(f"{busy}, scrolling", SCROLL_SECONDS, scroll=True)
            await meter.measure(busy, arguments.seconds)
        await dashboard.is_live()
        print(f"\n{os.cpu_count()} cores, load average {os.getloadavg()[1]:.1f}")


async def main() -> None:
    """Run everything, and print what was measured."""
    parser = argparse.ArgumentParser(description="Measure the dashboard under load.")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=5_000, help="changes a second (default 5000)")
    parser.add_argument("--seconds", type=float, default=60, help="how long the last measurement takes (default 60)")
    arguments = parser.parse_args()
    if reason := missing():
        parser.exit(1, f"{reason}\n")
    with tempfile.TemporaryDirectory() as directory:
        async with serving_many(arguments.keys, Path(directory), PORT) as (servers, url), visiting() as visitor:
            await report(visitor, servers, url, arguments)


if __name__ == "__main__":
    asyncio.run(main())
