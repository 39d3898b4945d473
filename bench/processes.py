"""The harness's side of the processes: servers under measurement, and workers that load them."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from random import SystemRandom
from socket import socket
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from tests.kafka.process import GuardedProcess

ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
# Below the range that systems take the near end of outgoing connections from.
_PORTS = range(12_000, 20_000)
_POLL_SECONDS = 0.01
_START_SECONDS_MAX = 60.0
# What is installed has its bytecode.
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
_STOP_SECONDS_MAX = 20.0


class ProcessFailed(Exception):
    """A process ended, or did not answer in time; the message ends with the last lines of its log."""


class Server:
    """A server as a process of its own, on processors of its own."""

    def __init__(self, command: Iterable[str], port: int, log: Path, processors: Iterable[int]) -> None:
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self._log = log
        self._client = httpx.Client(base_url=self.url, timeout=10)
        self.started_at = time.time()
        self._process = GuardedProcess([*_environment(log.parent), sys.executable, *command], log)
        os.sched_setaffinity(self._process.pid, processors)

    @property
    def pid(self) -> int:
        return self._process.pid

    def get(self, path: str) -> httpx.Response | None:
        """The answer to a GET; None while nobody listens."""
        return self._asked(lambda: self._client.get(path))

    def ask(self, document: str, **variables: object) -> dict[str, Any] | None:
        """The answer to a GraphQL document; None while nobody listens."""
        response = self._asked(lambda: self._client.post("/graphql", json={"query": document, "variables": variables}))
        answer: dict[str, Any] | None = None if response is None else response.json()
        return answer

    def wait_until(
        self,
        seen: Callable[[], bool],
        what: str,
        seconds_max: float = _START_SECONDS_MAX,
        poll_seconds: float = _POLL_SECONDS,
    ) -> None:
        """Return once it is seen.

        Raises:
            ProcessFailed: The server ended, or it is not seen in time.
        """
        deadline = time.monotonic() + seconds_max
        while not seen():
            status = self._process.exit_status()
            if status is not None or time.monotonic() > deadline:
                tail = self._log.read_text(errors="replace")[-2_000:]
                raise ProcessFailed(f"{what}: not seen in {seconds_max} s, exit status {status}\n{tail}")
            time.sleep(poll_seconds)

    def stop(self) -> None:
        """End the server in order."""
        self._client.close()
        self._process.terminate(_STOP_SECONDS_MAX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _asked(self, ask: Callable[[], httpx.Response]) -> httpx.Response | None:
        try:
            return ask()
        except httpx.TransportError:
            return None


class Worker:
    """A module of `bench.load` or `bench.floors` in a process of its own. It ends when this process does."""

    def __init__(self, module: str, *, processors: Iterable[int] | None = None, **specification: object) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        if processors is not None:
            os.sched_setaffinity(self._process.pid, processors)
        self.tell(**specification)

    def tell(self, **said: object) -> None:
        """Give the worker a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(said) + b"\n")

    def hear(self, seconds_max: float) -> dict[str, Any]:
        """The worker's next line.

        Raises:
            ProcessFailed: It ended, or says nothing for so long.
        """
        output = self._process.stdout
        assert output is not None
        ready, _, _ = select.select([output], [], [], seconds_max)
        if not ready:
            raise ProcessFailed(f"{self._module} said nothing for {seconds_max} s")
        line = output.readline()
        if not line:
            raise ProcessFailed(f"{self._module} ended, with status {self._process.wait()}")
        heard: dict[str, Any] = orjson.loads(line)
        return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    for port in SystemRandom().sample(_PORTS, len(_PORTS)):
        with closing(socket()) as attempt:
            try:
                attempt.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port among {_PORTS}")


def flags(settings: Mapping[str, object]) -> list[str]:
    """Settings as flags of a command."""
    return [part for name, setting in settings.items() for part in (f"--{name.replace('_', '-')}", str(setting))]


def _environment(directory: Path) -> list[str]:
    """This checkout's code, whatever is installed, and none of the settings of whoever runs the benchmark."""
    unset = [f"--unset={name}" for name in os.environ if name.startswith("KVS_") or name == _NO_BYTECODE]
    return ["/usr/bin/env", f"--chdir={directory}", *unset, f"PYTHONPATH={ROOT}"]
