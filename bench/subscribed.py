"""Subscribers of one server, and the runs they take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from typing import Any

import psutil

from bench.load.deliveries import Wanted
from bench.meters import cpu_seconds
from bench.processes import ProcessFailed, Server, Worker
from bench.sources import Source
from bench.timetable import Timetable

_SUBSCRIBE_SECONDS_MAX = 120.0
_WARM_ATTEMPTS_MAX = 20
_WARM_SECONDS = 20.0
_WARM_SILENCE_SECONDS = 3.0
_WARM_TICKS_A_SECOND = 50.0
_WARM_UPDATES_A_TICK = 100
_SILENCE_SECONDS_MAX = 15.0
_EXTRA_SECONDS_MAX = 10.0
_ANSWER_SECONDS_MAX = 30.0
_IDLE = 0.1
_LOOK_SECONDS = 0.25
_SETTLE_SECONDS_MAX = 60.0
_RUNS = count(1)


class Subscribed:
    """Open subscriptions, each proven to be live."""

    def __init__(self, worker: Worker, source: Source, wanted: Wanted) -> None:
        self._worker = worker
        self._source = source
        self.wanted = wanted
        self.keys = wanted.keys if wanted.same else wanted.subscriptions

    def warm(self) -> None:
        """Update every key until every subscription has had one.

        Raises:
            ProcessFailed: Some get nothing.
        """
        once = self._timetable(self.keys, _WARM_UPDATES_A_TICK, _WARM_TICKS_A_SECOND)
        seen = 0
        for _ in range(_WARM_ATTEMPTS_MAX):
            limits = {"seconds_max": once.seconds + _WARM_SECONDS, "silence_seconds_max": _WARM_SILENCE_SECONDS}
            seen = self._take("warm", once, self.wanted.places, limits)["seen"]
            if seen == self.wanted.places:
                return
        raise ProcessFailed(f"only {seen} of {self.wanted.places} subscriptions get updates")

    def take(self, updates: int, updates_a_tick: int, ticks_a_second: float) -> dict[str, Any]:
        """A run of so many updates at that pace, and what came of it; see `bench.load.sockets`."""
        timetable = self._timetable(updates, updates_a_tick, ticks_a_second)
        expected = updates * (self.wanted.subscriptions if self.wanted.same else 1)
        limits = {
            "seconds_max": timetable.seconds + _EXTRA_SECONDS_MAX,
            "silence_seconds_max": _SILENCE_SECONDS_MAX,
        }
        return self._take("run", timetable, expected, limits)

    def stall(self) -> None:
        """Have the first socket read nothing any more."""
        self._command("stall")

    def go_on(self) -> None:
        """Have it read again."""
        self._command("go on")

    def _command(self, command: str) -> None:
        self._worker.tell(command=command)
        self._worker.hear(_ANSWER_SECONDS_MAX)

    def _timetable(self, updates: int, updates_a_tick: int, ticks_a_second: float) -> Timetable:
        return Timetable(next(_RUNS), self.wanted.first_key, self.keys, updates, updates_a_tick, ticks_a_second)

    def _take(self, command: str, timetable: Timetable, expected: int, limits: dict[str, float]) -> dict[str, Any]:
        self._worker.tell(command=command, run=timetable.run, expected=expected, **limits)
        self._worker.hear(_ANSWER_SECONDS_MAX)
        self._source.go(timetable)
        taken = self._worker.hear(limits["seconds_max"] + _ANSWER_SECONDS_MAX)
        return {**taken, "late": self._source.done()["late"]}


@contextmanager
def subscribed(
    server: Server, source: Source, wanted: Wanted, *, graphql: bool = True, subscriptions_a_socket: int = 1
) -> Iterator[Subscribed]:
    """Subscriptions at a server, for as long as the context is open; afterwards the server has come to rest."""
    specification = {
        "wanted": asdict(wanted),
        "port": server.port,
        "path": "/graphql" if graphql else "/",
        "graphql": graphql,
        "subscriptions_a_socket": subscriptions_a_socket,
        "server_pid": server.pid,
    }
    with Worker("bench.load.sockets", **specification) as worker:
        worker.hear(_SUBSCRIBE_SECONDS_MAX)
        yield Subscribed(worker, source, wanted)
    come_to_rest(server)


def come_to_rest(server: Server) -> None:
    """Wait until a server has worked off what it was left with."""
    process = psutil.Process(server.pid)
    deadline = time.monotonic() + _SETTLE_SECONDS_MAX
    while time.monotonic() < deadline:
        before, began = cpu_seconds(process), time.monotonic()
        time.sleep(_LOOK_SECONDS)
        if cpu_seconds(process) - before < _IDLE * (time.monotonic() - began):
            return
