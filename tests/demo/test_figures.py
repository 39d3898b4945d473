"""The figures of the machine: their fields, changes, tombstones and missing values."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import orjson
import psutil
import pytest

from kvs_graphql.demo.figures import PROCESS_LINGER_SECONDS, TABLES, Change, Figure, Figures, Place

EVERY_PROCESS = 1_000_000
ARGUMENT = "--never-shown"
WORKER = """
import sys, time
for line in sys.stdin:
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    print("done", flush=True)
"""
RATED = {
    "disks": ("read_bytes", "written_bytes", "reads", "writes"),
    "network": ("received_bytes", "sent_bytes", "received_packets", "sent_packets", "errors", "drops"),
}
NAMES = {
    "cpu": {"percent", "user", "system", "idle"},
    "memory": {"total_bytes", "available_bytes", "used_bytes", "free_bytes", "percent"},
    "swap": {"total_bytes", "used_bytes", "free_bytes", "percent"},
    "filesystems": {"mount", "type", "total_bytes", "used_bytes", "free_bytes", "percent"},
    "load": {"minutes_1", "minutes_5", "minutes_15"},
    "uptime": {"seconds", "started"},
    "processes": {"pid", "name", "user", "cpu_percent", "rss_bytes", "threads", "started"},
} | {family: {*counters, *(f"{name}_per_second" for name in counters)} for family, counters in RATED.items()}


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class Worker:
    """A real process that uses 0.1 s of CPU time per call of `work`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, ARGUMENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.place = Place("processes", str(self.process.pid))
        self.work()

    def work(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "done\n"

    def end(self) -> None:
        with self.process:
            self.process.kill()


@pytest.fixture
def workers() -> Iterator[Callable[[], Worker]]:
    started: list[Worker] = []

    def start() -> Worker:
        started.append(Worker())
        return started[-1]

    yield start
    for worker in started:
        worker.end()


def interface(received_bytes: int) -> SimpleNamespace:
    return SimpleNamespace(
        bytes_recv=received_bytes,
        bytes_sent=0,
        packets_recv=7,
        packets_sent=0,
        errin=0,
        errout=0,
        dropin=0,
        dropout=0,
    )


def of(name: str, changes: list[Change]) -> dict[str, Figure | None]:
    """The changes of a table, or of one key of a table."""
    return {place.key: figure for place, figure in changes if name in place}


def test_every_figure_has_its_documented_fields_and_is_json() -> None:
    clock = Clock()
    figures = Figures(clock=clock)
    clock.seconds += 1
    changes = figures.changes()
    seen = {place for place, _ in changes}
    assert {("cpu", "0"), ("filesystems", "/"), *(("system", key) for key in ("memory", "load", "uptime"))} <= seen
    for place, figure in changes:
        assert figure is not None
        assert set(figure) == NAMES[place.key if place.table == "system" else place.table], place
        assert place.table in TABLES
        assert orjson.loads(orjson.dumps(figure)) == figure


def test_the_shares_of_a_core_add_up_to_100_percent() -> None:
    cores = of("cpu", Figures().changes())
    assert set(cores) == {str(core) for core in range(psutil.cpu_count() or 0)}
    for figure in cores.values():
        assert figure is not None
        percent, user, system, idle = (float(figure[name] or 0) for name in ("percent", "user", "system", "idle"))
        assert percent + idle == pytest.approx(100)
        assert user + system == pytest.approx(percent, abs=0.15)


def test_only_changes_are_reported_and_a_vanished_key_becomes_a_tombstone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, interfaces = Clock(), {"eth9": interface(received_bytes=1_000)}
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: dict(interfaces))
    figures = Figures(clock=clock)

    def changes_after(seconds: float) -> dict[str, Figure | None]:
        clock.seconds += seconds
        return of("network", figures.changes())

    assert set(changes_after(1)) == {"eth9"}
    assert changes_after(1) == {}
    interfaces["eth9"] = interface(received_bytes=2_000)
    changed = changes_after(2)["eth9"]
    assert changed is not None
    assert (changed["received_bytes"], changed["received_bytes_per_second"]) == (2_000, 500.0)
    interfaces["eth9"] = interface(received_bytes=100)
    reset = changes_after(1)["eth9"]
    assert reset is not None
    assert (reset["received_bytes"], reset["received_bytes_per_second"]) == (100, 0.0)
    interfaces.clear()
    assert changes_after(1) == {"eth9": None}
    assert changes_after(1) == {}
    interfaces["eth9"] = interface(received_bytes=200)
    back = changes_after(1)["eth9"]
    assert back is not None
    assert back["received_bytes_per_second"] is None


def test_slow_figures_are_reported_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, boots = Clock(), iter(range(1_000))
    monkeypatch.setattr(psutil, "boot_time", lambda: float(next(boots)))
    figures = Figures(clock=clock)
    reported = []
    for _ in range(20):
        reported.append(bool(of("uptime", figures.changes())))
        clock.seconds += 1
    assert [second for second, uptime in enumerate(reported) if uptime] == [0, 10]


def test_an_ended_process_becomes_a_tombstone(workers: Callable[[], Worker]) -> None:
    clock, worker = Clock(), workers()
    figures = Figures(EVERY_PROCESS, clock)
    before = dict(figures.changes())[worker.place]
    assert before is not None
    assert before["pid"] == worker.process.pid
    worker.end()
    clock.seconds += 2
    changes = figures.changes()
    assert (worker.place, None) in changes
    clock.seconds += 2
    assert worker.place not in dict(figures.changes())


def test_a_zombie_process_becomes_a_tombstone(workers: Callable[[], Worker]) -> None:
    clock, worker = Clock(), workers()
    figures = Figures(EVERY_PROCESS, clock)
    assert worker.place in dict(figures.changes())
    worker.process.kill()
    assert worker.process.stdout is not None
    assert worker.process.stdout.read() == ""
    clock.seconds += 2
    assert (worker.place, None) in figures.changes()


def test_a_process_is_reported_without_its_command_line(workers: Callable[[], Worker]) -> None:
    worker = workers()
    figure = dict(Figures(EVERY_PROCESS).changes())[worker.place]
    assert figure is not None
    assert ARGUMENT not in str(figure)
    assert figure["started"]


def test_the_busiest_process_replaces_an_idle_one_after_a_while(
    workers: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, first, second = Clock(), workers(), workers()
    monkeypatch.setattr(psutil, "pids", lambda: [first.process.pid, second.process.pid])
    figures = Figures(processes_max=1, clock=clock)

    def shown_after(seconds: float, busy: Worker) -> dict[str, Figure | None]:
        clock.seconds += seconds
        busy.work()
        return of("processes", figures.changes())

    shown = shown_after(2, first)
    assert set(shown) == {first.place.key}
    worked = shown[first.place.key]
    assert worked is not None
    assert 4.0 <= float(worked["cpu_percent"] or 0) <= 8.0
    shown = shown_after(2, second)
    assert set(shown) == {first.place.key, second.place.key}
    assert None not in shown.values()
    assert shown_after(PROCESS_LINGER_SECONDS, second)[first.place.key] is None


def test_forgotten_changes_are_reported_again(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = {"eth9": interface(received_bytes=1), "eth8": interface(received_bytes=2)}
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: dict(interfaces))
    clock = Clock()
    figures = Figures(clock=clock)

    def next_changes() -> dict[str, Figure | None]:
        clock.seconds += 1
        return of("network", figures.changes())

    reported = next_changes()
    figures.forget([Place("network", "eth8")])
    assert next_changes() == {"eth8": reported["eth8"]}
    del interfaces["eth8"]
    assert next_changes() == {"eth8": None}
    figures.forget([Place("network", "eth8")])
    assert next_changes() == {"eth8": None}
    figures.forget_all()
    assert next_changes() == {"eth9": reported["eth9"]}


def fail(error: Exception) -> Callable[..., Any]:
    def failing(*_arguments: object, **_options: object) -> Any:
        raise error

    return failing


@pytest.mark.parametrize(
    ("source", "replacement", "family"),
    [
        ("disk_io_counters", lambda **_: None, "disks"),
        ("disk_io_counters", fail(NotImplementedError()), "disks"),
        ("net_io_counters", fail(PermissionError()), "network"),
        ("swap_memory", fail(RuntimeWarning("swap statistics could not be determined")), "swap"),
        ("virtual_memory", fail(FileNotFoundError("/proc/meminfo")), "memory"),
        ("cpu_times", fail(psutil.AccessDenied()), "cpu"),
        ("getloadavg", fail(OSError()), "load"),
        ("boot_time", fail(RuntimeError()), "uptime"),
        ("pids", fail(PermissionError()), "processes"),
        ("disk_usage", fail(PermissionError()), "filesystems"),
    ],
)
def test_an_unreadable_source_has_no_keys_and_the_others_continue(
    monkeypatch: pytest.MonkeyPatch, source: str, replacement: Callable[..., Any], family: str
) -> None:
    clock = Clock()
    figures = Figures(clock=clock)
    shown = figures.changes()
    clock.seconds += 60
    monkeypatch.setattr(psutil, source, replacement)
    changes = figures.changes()
    assert of(family, changes) == dict.fromkeys(of(family, shown))
    assert any(figure is not None for _, figure in changes)


def test_unknown_attributes_of_a_process_are_null(
    workers: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = workers()
    monkeypatch.setattr(psutil, "pids", lambda: [worker.process.pid])
    monkeypatch.setattr(psutil.Process, "as_dict", lambda _, attributes: dict.fromkeys(attributes))
    figure = dict(Figures().changes())[worker.place]
    assert figure is not None
    assert {name for name, value in figure.items() if value is not None} == {"pid", "cpu_percent"}


def test_a_container_without_devices_reports_its_root(monkeypatch: pytest.MonkeyPatch) -> None:
    file_of_host = SimpleNamespace(device="/dev/vda1", mountpoint=__file__, fstype="ext4", opts="rw")
    image = SimpleNamespace(device="/dev/loop1", mountpoint="/usr", fstype="squashfs", opts="ro,nodev")
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [file_of_host, image])
    root = of("filesystems", Figures().changes())
    assert set(root) == {"/"}
    figure = root["/"]
    assert figure is not None
    assert (figure["mount"], figure["type"]) == ("/", None)
