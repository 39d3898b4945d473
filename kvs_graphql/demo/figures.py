"""Live figures of this machine as keys and JSON values of several tables, which the demo writes to Kafka.

`system`: the keys `memory` (`total_bytes`, `available_bytes`, `used_bytes`, `free_bytes`, `percent`), `swap`
    (`total_bytes`, `used_bytes`, `free_bytes`, `percent`), `load` (`minutes_1`, `minutes_5`, `minutes_15`) and `uptime`
    (`seconds`, `started`).
`processes`, by process id: `pid`, `name`, `user`, `cpu_percent` (of one core), `rss_bytes`, `threads`, `started`. The
    command line is left out, since it may contain secrets.
`cpu`, by the number of a core: `percent` busy, its shares `user` and `system`, and `idle`.
`disks`, by name: the counters `read_bytes`, `written_bytes`, `reads`, `writes`, each also `…_per_second`.
`filesystems`, by mount: `mount`, `type`, `total_bytes`, `used_bytes`, `free_bytes`, `percent`.
`network`, by interface: the counters `received_bytes`, `sent_bytes`, `received_packets`, `sent_packets`, `errors`,
    `drops`, each also `…_per_second`.

`mount`, `type`, `name`, `user` and `started` (ISO 8601, UTC) are strings; everything else is a number. Unknown values
are null: attributes of another user's process, the `type` of a container's root, the rates of a key that is new since
the previous sample.
"""

import heapq
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

import psutil

Figure: TypeAlias = dict[str, str | int | float | None]
Counters: TypeAlias = dict[str, int]

TABLES = ("system", "processes", "cpu", "disks", "filesystems", "network")

PROCESS_INTERVAL_SECONDS = 2.0
SLOW_INTERVAL_SECONDS = 10.0
PROCESSES_MAX = 10
PROCESS_LINGER_SECONDS = 10.0

# A container may hide a source. psutil then raises one of these, or warns that a part is missing.
_UNREADABLE = (psutil.Error, OSError, NotImplementedError, RuntimeError, RuntimeWarning)
_ROOT = os.sep
_NAME_CHARACTERS_MAX = 15


class Place(NamedTuple):
    """Where a figure is."""

    table: str
    key: str


class Change(NamedTuple):
    """A figure's new value, or None if it is gone."""

    place: Place
    figure: Figure | None


@dataclass(frozen=True)
class _Source:
    """Figures of a table that are read together. `read` takes the current time and returns all current keys."""

    table: str
    read: Callable[[float], dict[str, Figure]]
    interval_seconds: float = 0.0


class Figures:
    """Changes of the figures since the previous call. Blocking, and not thread-safe.

    At most `2 * processes_max` processes are included: the busiest ones, and those that were among them less than
    `PROCESS_LINGER_SECONDS` ago.
    """

    def __init__(self, processes_max: int = PROCESSES_MAX, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sources = (
            _Source("cpu", _Processors().read),
            _Source("system", _read_memory),
            _Source("system", _read_swap),
            _Source("disks", _Rates(_disk_counters).read),
            _Source("network", _Rates(_network_counters).read),
            _Source("system", _read_load),
            _Source("processes", _Processes(processes_max).read, PROCESS_INTERVAL_SECONDS),
            _Source("filesystems", _read_filesystems, SLOW_INTERVAL_SECONDS),
            _Source("system", _read_uptime, SLOW_INTERVAL_SECONDS),
        )
        self._due = [0.0] * len(self._sources)
        self._latest: list[dict[Place, Figure]] = [{} for _ in self._sources]
        self._reported: dict[Place, Figure] = {}
        for source in self._sources:
            # Rates need a previous sample.
            _read_or_skip(source, clock())

    def changes(self) -> list[Change]:
        """Return every key whose value changed since the previous call, with its new value, or None if it is gone.

        Each call reads all figures, except processes (every 2 s), file systems and uptime (every 10 s). Figures that
        cannot be read have no key.
        """
        now = self._clock()
        for index, source in enumerate(self._sources):
            if now >= self._due[index]:
                self._due[index] = now + source.interval_seconds
                self._latest[index] = _read_or_skip(source, now)
        current = {place: figure for figures in self._latest for place, figure in figures.items()}
        changes = [Change(place, figure) for place, figure in current.items() if self._reported.get(place) != figure]
        changes += [Change(place, None) for place in self._reported if place not in current]
        self._reported = current
        return changes

    def forget(self, places: Iterable[Place]) -> None:
        """Report these figures again in the next call, even if they are gone by then."""
        for place in places:
            self._reported[place] = {}

    def forget_all(self) -> None:
        """Report every figure again in the next call, changed or not."""
        self.forget(list(self._reported))


class _Rates:
    """Growing counters, and their rates per second since the previous read."""

    def __init__(self, counters: Callable[[], dict[str, Counters]]) -> None:
        self._counters = counters
        self._before: dict[str, Counters] = {}
        self._before_time = 0.0

    def read(self, now: float) -> dict[str, Figure]:
        after = self._counters()
        seconds = now - self._before_time
        figures = {key: counted | _rates(self._before.get(key), counted, seconds) for key, counted in after.items()}
        self._before, self._before_time = after, now
        return figures


class _Processors:
    """Shares of each core's time since the previous read."""

    def __init__(self) -> None:
        self._before: list[Any] = []

    def read(self, _now: float) -> dict[str, Figure]:
        before, self._before = self._before, psutil.cpu_times(percpu=True)
        return {
            str(core): _shares(earlier, later)
            for core, (earlier, later) in enumerate(zip(before, self._before, strict=False))
        }


class _Processes:
    """The busiest processes. A process that drops out lingers, so that two similar ones do not alternate."""

    def __init__(self, processes_max: int) -> None:
        self._processes_max = processes_max
        self._before: dict[psutil.Process, float] = {}
        self._before_time = 0.0
        self._busy_at: dict[psutil.Process, float] = {}

    def read(self, now: float) -> dict[str, Figure]:
        before, seconds = self._before, now - self._before_time
        spent = self._before = _processor_seconds()
        self._before_time = now
        if not before:
            return {}
        used = {process: total - before.get(process, 0.0) for process, total in spent.items()}
        busiest = heapq.nlargest(self._processes_max, spent, key=lambda process: (used[process], spent[process]))
        self._busy_at = self._lingering(busiest, now) | dict.fromkeys(busiest, now)
        figures = {}
        for process in self._busy_at:
            percent = _percent(used[process], seconds)
            if figure := _describe(process, percent):
                figures[str(process.pid)] = figure
        return figures

    def _lingering(self, busiest: list[psutil.Process], now: float) -> dict[psutil.Process, float]:
        since = now - PROCESS_LINGER_SECONDS
        lingering = [
            (process, at)
            for process, at in self._busy_at.items()
            if at > since and process in self._before and process not in busiest
        ]
        return dict(heapq.nlargest(self._processes_max, lingering, key=lambda pair: pair[1]))


def _read_or_skip(source: _Source, now: float) -> dict[Place, Figure]:
    try:
        return {Place(source.table, key): figure for key, figure in source.read(now).items()}
    except _UNREADABLE:
        return {}


def _rates(before: Counters | None, after: Counters, seconds: float) -> Figure:
    if before is None or seconds <= 0:
        return {f"{name}_per_second": None for name in after}
    # A counter that fell has been reset.
    return {f"{name}_per_second": round(max(0, count - before[name]) / seconds, 1) for name, count in after.items()}


def _percent(part: float, whole: float) -> float:
    return round(100.0 * part / whole, 1) if whole > 0 else 0.0


def _iso_time(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="seconds")


def _shares(before: Any, after: Any) -> Figure:
    # On Linux, `user` and `nice` include the time of guests.
    names = [name for name in after._fields if not name.startswith("guest")]
    spent = {name: max(0.0, getattr(after, name) - getattr(before, name)) for name in names}
    total = sum(spent.values())
    user = _percent(spent["user"] + spent.get("nice", 0.0), total)
    busy = _percent(total - spent["idle"] - spent.get("iowait", 0.0), total)
    return {
        "percent": busy,
        "user": user,
        "system": round(max(0.0, busy - user), 1),
        "idle": round(100.0 - busy, 1),
    }


def _read_memory(_now: float) -> dict[str, Figure]:
    memory = psutil.virtual_memory()
    figure: Figure = {
        "total_bytes": memory.total,
        "available_bytes": memory.available,
        "used_bytes": memory.used,
        "free_bytes": memory.free,
        "percent": memory.percent,
    }
    return {"memory": figure}


def _read_swap(_now: float) -> dict[str, Figure]:
    swap = psutil.swap_memory()
    figure: Figure = {
        "total_bytes": swap.total,
        "used_bytes": swap.used,
        "free_bytes": swap.free,
        "percent": swap.percent,
    }
    return {"swap": figure}


def _disk_counters() -> dict[str, Counters]:
    disks = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
    return {
        name: {
            "read_bytes": disk.read_bytes,
            "written_bytes": disk.write_bytes,
            "reads": disk.read_count,
            "writes": disk.write_count,
        }
        for name, disk in disks.items()
        # There are dozens of unused loop and RAM devices.
        if disk.read_count or disk.write_count
    }


def _network_counters() -> dict[str, Counters]:
    interfaces = psutil.net_io_counters(pernic=True, nowrap=False)
    return {
        name: {
            "received_bytes": interface.bytes_recv,
            "sent_bytes": interface.bytes_sent,
            "received_packets": interface.packets_recv,
            "sent_packets": interface.packets_sent,
            "errors": interface.errin + interface.errout,
            "drops": interface.dropin + interface.dropout,
        }
        for name, interface in interfaces.items()
        if interface.packets_recv or interface.packets_sent
    }


def _read_load(_now: float) -> dict[str, Figure]:
    load_1, load_5, load_15 = (round(load, 2) for load in psutil.getloadavg())
    return {"load": {"minutes_1": load_1, "minutes_5": load_5, "minutes_15": load_15}}


def _read_uptime(_now: float) -> dict[str, Figure]:
    started = psutil.boot_time()
    return {"uptime": {"seconds": int(time.time() - started), "started": _iso_time(started)}}


def _read_filesystems(_now: float) -> dict[str, Figure]:
    figures = {}
    for mount, kind in _mounts().items():
        try:
            usage = psutil.disk_usage(mount)
        except OSError:
            continue
        figure: Figure = {
            "mount": mount,
            "type": kind,
            "total_bytes": usage.total,
            "used_bytes": usage.used,
            "free_bytes": usage.free,
            "percent": usage.percent,
        }
        figures[mount] = figure
    return figures


def _mounts() -> dict[str, str | None]:
    """Return one mount of each writable device with its type, and always the root."""
    partitions = [
        partition
        for partition in psutil.disk_partitions(all=False)
        # Containers mount single files of their host. Path.is_dir would raise for paths that may not be seen.
        if "ro" not in partition.opts.split(",") and os.path.isdir(partition.mountpoint)  # noqa: PTH112
    ]
    shortest_last = sorted(partitions, key=lambda partition: len(partition.mountpoint), reverse=True)
    by_device = {partition.device: partition for partition in shortest_last}
    mounts: dict[str, str | None] = {_ROOT: None}
    return mounts | {partition.mountpoint: partition.fstype for partition in by_device.values()}


def _processor_seconds() -> dict[psutil.Process, float]:
    """Return the CPU seconds that each living process has used since its start."""
    return dict(filter(None, map(_processor_seconds_of, psutil.pids())))


def _processor_seconds_of(pid: int) -> tuple[psutil.Process, float] | None:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            times = process.cpu_times()
    except psutil.Error:
        return None
    return process, times.user + times.system


def _describe(process: psutil.Process, cpu_percent: float) -> Figure | None:
    try:
        known = process.as_dict(["name", "username", "memory_info", "num_threads", "create_time"])
    except psutil.NoSuchProcess:
        return None
    memory, started = known["memory_info"], known["create_time"]
    return {
        "pid": process.pid,
        # psutil completes longer names from the command line.
        "name": known["name"] and known["name"][:_NAME_CHARACTERS_MAX],
        "user": known["username"],
        "cpu_percent": cpu_percent,
        "rss_bytes": memory and memory.rss,
        "threads": known["num_threads"],
        "started": started and _iso_time(started),
    }
