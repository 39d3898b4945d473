"""Subscriptions at one server, and the runs of updates that they receive."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from typing import Any

from bench.load.deliveries import Wanted
from bench.load.transports import WEBSOCKET
from bench.process_stats import cpu_seconds
from bench.processes import ProcessFailed, Server, Worker
from bench.queries import updates
from bench.schedule import Schedule
from bench.sources import Source

_SUBSCRIBE_SECONDS_MAX = 300.0
_WARM_RUNS_MAX = 5
_WARM_SECONDS = 120.0
_WARM_SILENCE_SECONDS = 10.0
_WARM_TICKS_PER_SECOND = 50.0
_WARM_UPDATES_PER_TICK = 100
_SILENCE_SECONDS_MAX = 15.0
# A run that is incomplete after this many times its length, and a few seconds, is cut off.
_PATIENCE = 3.0
_EXTRA_SECONDS_MAX = 5.0
_ANSWER_SECONDS_MAX = 30.0
_IDLE_SHARE_MAX = 0.1
# A server that waits for its processor looks idle for a moment, so one idle poll is not enough.
_IDLE_POLLS = 2
_POLL_SECONDS = 0.2
_IDLE_SECONDS_MAX = 60.0
_STALLED_UPDATES_PER_TICK = 200
_STALLED_TICKS_PER_SECOND = 100.0
_STALLED_SECONDS_MAX = 300.0
_STALLED_SILENCE_SECONDS = 10.0
_RUNS = count(1)


class Subscriptions:
    """Open subscriptions of one worker process."""

    def __init__(self, worker: Worker, source: Source, wanted: Wanted) -> None:
        self._worker = worker
        self._source = source
        self.wanted = wanted
        self.keys = wanted.keys if wanted.same else wanted.subscriptions

    def warm_up(self) -> None:
        """Update a key of every subscription until each has received an update.

        Raises:
            ProcessFailed: Some subscriptions receive nothing.
        """
        keys = 1 if self.wanted.same else self.keys
        once = self._schedule(keys, _WARM_UPDATES_PER_TICK, _WARM_TICKS_PER_SECOND)
        limits = {"seconds_max": once.seconds + _WARM_SECONDS, "silence_seconds_max": _WARM_SILENCE_SECONDS}
        updated = 0
        for _ in range(_WARM_RUNS_MAX):
            updated = self._run(once, self.wanted.subscriptions, limits)["updated"]
            if updated == self.wanted.subscriptions:
                return
        raise ProcessFailed(f"only {updated} of {self.wanted.subscriptions} subscriptions receive updates")

    def run(self, updates: int, updates_per_tick: int, ticks_per_second: float) -> dict[str, Any]:
        """Send this many updates at this pace; return what `bench.load.subscribers` reports of them."""
        schedule = self._schedule(updates, updates_per_tick, ticks_per_second)
        expected = updates * (self.wanted.subscriptions if self.wanted.same else 1)
        limits = {
            "seconds_max": _PATIENCE * schedule.seconds + _EXTRA_SECONDS_MAX,
            "silence_seconds_max": _SILENCE_SECONDS_MAX,
        }
        return self._run(schedule, expected, limits)

    def run_stalled(self, updates: int, meanwhile: Callable[[], None]) -> dict[str, Any]:
        """Send updates as fast as possible; the first connection reads none of them until `meanwhile` has returned."""
        schedule = self._schedule(updates, _STALLED_UPDATES_PER_TICK, _STALLED_TICKS_PER_SECOND)
        limits = {"seconds_max": _STALLED_SECONDS_MAX, "silence_seconds_max": _STALLED_SILENCE_SECONDS}
        self._worker.send(command="stalled run", run=schedule.run, expected=updates, **limits)
        self._worker.receive(_ANSWER_SECONDS_MAX)
        self._source.start(schedule)
        self._source.finish()
        meanwhile()
        self._worker.send(command="resume")
        return self._worker.receive(_STALLED_SECONDS_MAX + _ANSWER_SECONDS_MAX)

    def _schedule(self, updates: int, updates_per_tick: int, ticks_per_second: float) -> Schedule:
        return Schedule(next(_RUNS), self.wanted.first_key, self.keys, updates, updates_per_tick, ticks_per_second)

    def _run(self, schedule: Schedule, expected: int, limits: dict[str, float]) -> dict[str, Any]:
        self._worker.send(command="run", run=schedule.run, expected=expected, **limits)
        self._worker.receive(_ANSWER_SECONDS_MAX)
        self._source.start(schedule)
        received = self._worker.receive(limits["seconds_max"] + _ANSWER_SECONDS_MAX)
        sent = self._source.finish()
        return {**received, "late": sent["late"], "acknowledged": sent["acknowledged"]}


@contextmanager
def open_subscriptions(
    server: Server,
    source: Source,
    wanted: Wanted,
    *,
    transport: str = WEBSOCKET,
    per_connection: int = 1,
    document: str = "",
    tokens: Sequence[str] = (),
) -> Iterator[Subscriptions]:
    """Keep subscriptions open for as long as the context is open; the server is idle before and afterwards.

    With `tokens`, each connection shows one, in turn.
    """
    specification: dict[str, Any] = {
        "wanted": asdict(wanted),
        "port": server.port,
        "transport": transport,
        "per_connection": per_connection,
        "server_pid": server.pid,
        "document": document or updates(),
        "tokens": list(tokens),
    }
    with Worker("bench.load.subscribers", **specification) as worker:
        worker.receive(_SUBSCRIBE_SECONDS_MAX)
        # The server has read the subscriptions and may still be working on them.
        wait_until_idle(server)
        yield Subscriptions(worker, source, wanted)
    wait_until_idle(server)


def wait_until_idle(server: Server) -> None:
    """Wait until a server uses hardly any processor time, or _IDLE_SECONDS_MAX have passed."""
    deadline = time.monotonic() + _IDLE_SECONDS_MAX
    idle_polls = 0
    while idle_polls < _IDLE_POLLS and time.monotonic() < deadline:
        before, began = cpu_seconds(server.pid), time.monotonic()
        time.sleep(_POLL_SECONDS)
        busy = cpu_seconds(server.pid) - before > _IDLE_SHARE_MAX * (time.monotonic() - began)
        idle_polls = 0 if busy else idle_polls + 1
