"""A service's way from its start to readiness, followed through its own /readyz."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from bench.environment import READY_SECONDS_MAX
from bench.process_stats import cpu_seconds, peak_rss_bytes
from bench.processes import Server

# Short before the service reads, because its processor time counts from the first answer; long while it works.
_START_POLL_SECONDS, _READY_POLL_SECONDS = 0.01, 0.05
_CATCHING_UP = "CATCHING_UP"
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """How a service caught up."""

    seconds: float
    """From the moment it began to read the topic until it was ready, by its own clock."""
    cpu_seconds: float
    """Of its process, from the first answer that says it reads."""
    peak_rss_mib: float


class Startup:
    """Polls a service until it is ready."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._began: datetime | None = None
        self._cpu_began = 0.0
        self._ready: dict[str, Any] | None = None

    def wait_until_reading(self) -> None:
        """Return once the service reads the topic."""
        self._server.wait_until(self._reads, "the start of catching up", READY_SECONDS_MAX, _START_POLL_SECONDS)

    def wait_until_ready(self) -> CaughtUp:
        """Return once the service is ready."""
        self.wait_until_reading()
        self._server.wait_until(self._is_ready, "the service's readiness", READY_SECONDS_MAX, _READY_POLL_SECONDS)
        assert self._ready is not None
        assert self._began is not None
        ended = datetime.fromisoformat(self._ready["since"])
        return CaughtUp(
            seconds=(ended - self._began).total_seconds(),
            cpu_seconds=cpu_seconds(self._server.pid) - self._cpu_began,
            peak_rss_mib=peak_rss_bytes(self._server.pid) / _MIB,
        )

    def _reads(self) -> bool:
        answer = self._answer()
        if self._began is None and answer is not None and answer.json()["state"] == _CATCHING_UP:
            self._began = datetime.fromisoformat(answer.json()["since"])
            self._cpu_began = cpu_seconds(self._server.pid)
        if answer is not None and answer.status_code == 200 and self._began is None:
            raise RuntimeError("the service was ready before it was seen to catch up")
        return self._began is not None

    def _is_ready(self) -> bool:
        answer = self._answer()
        if answer is None or answer.status_code != 200:
            return False
        self._ready = answer.json()
        return True

    def _answer(self) -> httpx.Response | None:
        return self._server.get("/readyz")
