"""The machine, and the division of its processors.

A server is measured on one processor, and the broker and the load generators share the others; so the figures of a
server are for one core. On a machine with one processor all share it, and the figures mean less.
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
    """The processors of the server under measurement and of everything else, by number."""

    server: frozenset[int]
    load: frozenset[int]

    @property
    def all(self) -> frozenset[int]:
        return self.server | self.load


def divide() -> Processors:
    """Give the first processor to the server under measurement and the others to everything else."""
    first, *others = sorted(os.sched_getaffinity(0))
    return Processors(frozenset([first]), frozenset(others or [first]))


def prepare(processors: Processors) -> None:
    """Move this process, and so its children, to the processors of the load; let it open many files."""
    os.sched_setaffinity(0, processors.load)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FILES_MIN:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def describe() -> dict[str, str]:
    """Describe the machine for a reader of the figures."""
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
