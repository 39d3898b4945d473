"""The machine that is measured, and which of its processors does what.

A server is measured on a processor of its own, the broker and the load generators share the others; so what is told
of a server is told of one core. Where there is only one processor, all share it, and the figures say less.
"""

import os
import platform
import resource
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

_FILES_MIN = 8_192


@dataclass(frozen=True, slots=True)
class Processors:
    """Numbers of processors."""

    server: frozenset[int]
    load: frozenset[int]

    @property
    def all(self) -> frozenset[int]:
        return self.server | self.load


def divide() -> Processors:
    """The first processor for the server that is measured, the others for the rest."""
    first, *others = sorted(os.sched_getaffinity(0))
    return Processors(frozenset([first]), frozenset(others or [first]))


def settle(processors: Processors) -> None:
    """Put this process, and so its children, on the processors of the load; let it open many files."""
    os.sched_setaffinity(0, processors.load)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FILES_MIN:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def describe() -> dict[str, str]:
    """What a reader of the figures wants to know of the machine."""
    return {
        "processor": _processor(),
        "processors": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "load at the start": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
