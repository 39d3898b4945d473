"""What a process used: processor time and memory, read from outside of it."""

import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_KIB = 1024
# See proc(5), clear_refs.
_FORGET_PEAK = "5"


@dataclass(frozen=True, slots=True)
class CpuUsage:
    """Over a stretch of time: how long it was, and the processor seconds of the server and of the load generator."""

    wall_seconds: float
    server_cpu_seconds: float
    load_cpu_seconds: float


class CpuStopwatch:
    """Measures another process and this one, from now on."""

    def __init__(self, pid: int) -> None:
        self._server = psutil.Process(pid)
        self._began = (time.perf_counter(), cpu_seconds(self._server), time.process_time())

    def read(self) -> CpuUsage:
        """What was used since this meter was made."""
        wall, server, own = self._began
        return CpuUsage(time.perf_counter() - wall, cpu_seconds(self._server) - server, time.process_time() - own)


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time of all threads, in user and kernel mode; it moves in steps of 10 ms."""
    times = process.cpu_times()
    return float(times.user + times.system)


def rss_bytes(pid: int) -> int:
    """Memory that the process holds now."""
    return int(psutil.Process(pid).memory_info().rss)


def forget_peak_rss(pid: int) -> None:
    """Have the process' peak memory start again from what it holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text(_FORGET_PEAK)


def peak_rss_bytes(pid: int) -> int:
    """The most memory that the process held (VmHWM), ever or since `forget_peak_rss`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * _KIB
    raise ProcessLookupError(pid)
