"""Subscribers as a process: many connections with many subscriptions, and the deliveries that arrive at them."""

import asyncio
from time import perf_counter
from typing import Any

from bench.load.connections import Connection, Subscribers
from bench.load.deliveries import Deliveries, Wanted
from bench.load.sockets import BareSocket, GraphQLSocket
from bench.load.streams import EventStream
from bench.load.transports import BARE_WEBSOCKET, SSE, WEBSOCKET
from bench.load.worker import Harness, Specification, run
from bench.process_stats import CpuStopwatch

CONNECTIONS: dict[str, type[Connection]] = {
    WEBSOCKET: GraphQLSocket,
    BARE_WEBSOCKET: BareSocket,
    SSE: EventStream,
}
_POLL_SECONDS = 0.005


async def work(harness: Harness, specification: Specification) -> None:
    """Subscribe, then take one run after another; each ends when complete, at its time limit, or in silence."""
    wanted = Wanted(**specification["wanted"])
    subscribers = Subscribers(
        wanted,
        specification["port"],
        specification["per_connection"],
        specification["document"],
        specification["tokens"],
    )
    await subscribers.open(CONNECTIONS[specification["transport"]])
    harness.send(event="subscribed")
    while True:
        await _run(harness, subscribers, await harness.receive(), specification["server_pid"])


async def _run(harness: Harness, subscribers: Subscribers, command: dict[str, Any], server_pid: int) -> None:
    """Take a run, or more of the last one; in a stalled run the first connection stops reading until told."""
    if subscribers.deliveries.run != command["run"]:
        subscribers.deliveries = Deliveries(subscribers.wanted, command["run"], command["expected"])
    deliveries = subscribers.deliveries
    stalled = subscribers.connections[0] if command["command"] == "stalled run" else None
    if stalled is not None:
        stalled.pause()
    stopwatch = CpuStopwatch(server_pid)
    harness.send(event="ready")
    if stalled is not None:
        await harness.receive()
        stalled.resume()
    deliveries.last_at = perf_counter()
    deadline = perf_counter() + command["seconds_max"]
    while not deliveries.complete and perf_counter() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        subscribers.check()
        if perf_counter() - deliveries.last_at > command["silence_seconds_max"]:
            break
    used = stopwatch.read()
    harness.send(
        updated=deliveries.updated_subscriptions(),
        payload_bytes=subscribers.payload_bytes,
        wall_seconds=used.wall_seconds,
        server_cpu_seconds=used.server_cpu_seconds,
        load_cpu_seconds=used.load_cpu_seconds,
        **deliveries.summary(),
    )


if __name__ == "__main__":
    run(work)
