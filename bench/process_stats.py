"""Processor time and memory of a process, read from outside it."""

import ctypes
import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_KIB = 1024
# See proc(5), clear_refs.
_RESET_PEAK = "5"
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class CpuUsage:
    """Processor seconds of a server and of its load generator over a stretch of wall-clock time."""

    wall_seconds: float
    server_cpu_seconds: float
    load_cpu_seconds: float


class CpuStopwatch:
    """Measures another process and this one from its creation on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._started = (time.perf_counter(), cpu_seconds(pid), time.process_time())

    def read(self) -> CpuUsage:
        """Return the usage since the stopwatch was created."""
        wall, server, own = self._started
        return CpuUsage(time.perf_counter() - wall, cpu_seconds(self._pid) - server, time.process_time() - own)


def cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process, in user and kernel mode.

    It comes from the process's own CPU clock (POSIX clock_getcpuclockid), because /proc counts in steps of 10 ms.

    Raises:
        ProcessLookupError: There is no such process.
    """
    clock = ctypes.c_int()
    error = _LIBC.clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise ProcessLookupError(error, os.strerror(error), pid)
    return time.clock_gettime(clock.value)


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return int(psutil.Process(pid).memory_info().rss)


def reset_peak_rss(pid: int) -> None:
    """Make the peak memory of a process start again from its current memory."""
    Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)


def peak_rss_bytes(pid: int) -> int:
    """Return the peak resident memory (VmHWM) of a process since its start or the last `reset_peak_rss`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * _KIB
    raise ProcessLookupError(pid)
