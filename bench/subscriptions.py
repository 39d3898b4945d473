"""Subscribers of one server, and the runs they take."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from typing import Any

import psutil

from bench.load.deliveries import Wanted
from bench.process_stats import cpu_seconds
from bench.processes import ProcessFailed, Server, Worker
from bench.schedule import Schedule
from bench.sources import Source

_SUBSCRIBE_SECONDS_MAX = 300.0
_WARM_ATTEMPTS_MAX = 5
_WARM_SECONDS = 120.0
_WARM_SILENCE_SECONDS = 10.0
_WARM_TICKS_A_SECOND = 50.0
_WARM_UPDATES_A_TICK = 100
_SILENCE_SECONDS_MAX = 15.0
# A run that is not complete after so many times its length, and a few seconds, is cut off.
_PATIENCE = 3.0
_EXTRA_SECONDS_MAX = 5.0
_ANSWER_SECONDS_MAX = 30.0
_IDLE = 0.1
# A server that is kept waiting for its processor seems to rest for a moment.
_CALM_LOOKS = 2
_LOOK_SECONDS = 0.2
_SETTLE_SECONDS_MAX = 60.0
_STALLED_UPDATES_A_TICK = 200
_STALLED_TICKS_A_SECOND = 100.0
_STALLED_SECONDS_MAX = 300.0
_STALLED_SILENCE_SECONDS = 10.0
_RUNS = count(1)


class Subscribed:
    """Open subscriptions, each proven to be live."""

    def __init__(self, worker: Worker, source: Source, wanted: Wanted) -> None:
        self._worker = worker
        self._source = source
        self.wanted = wanted
        self.keys = wanted.keys if wanted.same else wanted.subscriptions

    def warm(self) -> None:
        """Update a key of every subscription until each has had an update.

        Raises:
            ProcessFailed: Some get nothing.
        """
        keys = 1 if self.wanted.same else self.keys
        once = self._schedule(keys, _WARM_UPDATES_A_TICK, _WARM_TICKS_A_SECOND)
        seen = 0
        for _ in range(_WARM_ATTEMPTS_MAX):
            limits = {"seconds_max": once.seconds + _WARM_SECONDS, "silence_seconds_max": _WARM_SILENCE_SECONDS}
            seen = self._take(once, self.wanted.subscriptions, limits)["seen"]
            if seen == self.wanted.subscriptions:
                return
        raise ProcessFailed(f"only {seen} of {self.wanted.subscriptions} subscriptions get updates")

    def take(self, updates: int, updates_a_tick: int, ticks_a_second: float) -> dict[str, Any]:
        """A run of so many updates at that pace, and what came of it; see `bench.load.sockets`."""
        schedule = self._schedule(updates, updates_a_tick, ticks_a_second)
        expected = updates * (self.wanted.subscriptions if self.wanted.same else 1)
        limits = {
            "seconds_max": _PATIENCE * schedule.seconds + _EXTRA_SECONDS_MAX,
            "silence_seconds_max": _SILENCE_SECONDS_MAX,
        }
        return self._take(schedule, expected, limits)

    def take_stalled(self, updates: int, meanwhile: Callable[[], None]) -> dict[str, Any]:
        """A run, all at once, of which the first socket reads nothing until `meanwhile` has returned."""
        schedule = self._schedule(updates, _STALLED_UPDATES_A_TICK, _STALLED_TICKS_A_SECOND)
        limits = {"seconds_max": _STALLED_SECONDS_MAX, "silence_seconds_max": _STALLED_SILENCE_SECONDS}
        self._worker.tell(command="stalled run", run=schedule.run, expected=updates, **limits)
        self._worker.hear(_ANSWER_SECONDS_MAX)
        self._source.go(schedule)
        self._source.done()
        meanwhile()
        self._worker.tell(command="go on")
        return self._worker.hear(_STALLED_SECONDS_MAX + _ANSWER_SECONDS_MAX)

    def _schedule(self, updates: int, updates_a_tick: int, ticks_a_second: float) -> Schedule:
        return Schedule(next(_RUNS), self.wanted.first_key, self.keys, updates, updates_a_tick, ticks_a_second)

    def _take(self, schedule: Schedule, expected: int, limits: dict[str, float]) -> dict[str, Any]:
        self._worker.tell(command="run", run=schedule.run, expected=expected, **limits)
        self._worker.hear(_ANSWER_SECONDS_MAX)
        self._source.go(schedule)
        taken = self._worker.hear(limits["seconds_max"] + _ANSWER_SECONDS_MAX)
        sent = self._source.done()
        return {**taken, "late": sent["late"], "acknowledged": sent["acknowledged"]}


@contextmanager
def subscribed(
    server: Server, source: Source, wanted: Wanted, *, graphql: bool = True, subscriptions_a_socket: int = 1
) -> Iterator[Subscribed]:
    """Subscriptions at a server, for as long as the context is open; afterwards the server has come to rest."""
    specification: dict[str, Any] = {
        "wanted": asdict(wanted),
        "port": server.port,
        "path": "/graphql" if graphql else "/",
        "graphql": graphql,
        "subscriptions_a_socket": subscriptions_a_socket,
        "server_pid": server.pid,
    }
    with Worker("bench.load.sockets", **specification) as worker:
        worker.hear(_SUBSCRIBE_SECONDS_MAX)
        # It has read them all, and may still be at work on them.
        come_to_rest(server)
        yield Subscribed(worker, source, wanted)
    come_to_rest(server)


def come_to_rest(server: Server) -> None:
    """Wait until a server has worked off what it was left with."""
    process = psutil.Process(server.pid)
    deadline = time.monotonic() + _SETTLE_SECONDS_MAX
    calm = 0
    while calm < _CALM_LOOKS and time.monotonic() < deadline:
        before, began = cpu_seconds(process), time.monotonic()
        time.sleep(_LOOK_SECONDS)
        busy = cpu_seconds(process) - before > _IDLE * (time.monotonic() - began)
        calm = 0 if busy else calm + 1
