"""The processes of a benchmark, seen from its harness: servers under measurement and the workers that load them."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from tests.kafka.process import GuardedProcess
from tests.ports import HOST

ROOT = Path(__file__).resolve().parents[1]
_POLL_SECONDS = 0.01
_START_SECONDS_MAX = 60.0
# An installed service has its bytecode.
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
_STOP_SECONDS_MAX = 20.0
_LOG_TAIL_CHARACTERS = 2_000


class ProcessFailed(Exception):
    """A process ended, or did not answer in time; the message ends with the last lines of its log."""


class Server:
    """A server in a process of its own, on processors of its own, with the code of the tree at `root`."""

    def __init__(
        self, command: Iterable[str], port: int, log: Path, processors: Iterable[int], root: Path = ROOT
    ) -> None:
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self._log = log
        self._client = httpx.Client(base_url=self.url, timeout=10)
        self._process = GuardedProcess([*_prefix(log.parent, root), sys.executable, *command], log)
        os.sched_setaffinity(self._process.pid, processors)

    @property
    def pid(self) -> int:
        return self._process.pid

    def get(self, path: str, token: str | None = None) -> httpx.Response | None:
        """Return the answer to a GET; None while nothing listens. With `token`, it says who asks."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return _answer(lambda: self._client.get(path, headers=headers))

    def query(self, document: str, **variables: object) -> dict[str, Any] | None:
        """Return the answer to a GraphQL document; None while nothing listens."""
        response = _answer(lambda: self._client.post("/graphql", json={"query": document, "variables": variables}))
        answer: dict[str, Any] | None = None if response is None else response.json()
        return answer

    def wait_until(
        self,
        seen: Callable[[], bool],
        what: str,
        seconds_max: float = _START_SECONDS_MAX,
        poll_seconds: float = _POLL_SECONDS,
    ) -> None:
        """Return once `seen` is true.

        Raises:
            ProcessFailed: The server ended, or `seen` is not true in time.
        """
        deadline = time.monotonic() + seconds_max
        while not seen():
            status = self._process.exit_status()
            if status is not None or time.monotonic() > deadline:
                tail = self._log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]
                raise ProcessFailed(f"{what}: not seen in {seconds_max} s, exit status {status}\n{tail}")
            time.sleep(poll_seconds)

    def stop(self) -> None:
        """Shut the server down and wait for its end."""
        self._client.close()
        self._process.terminate(_STOP_SECONDS_MAX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Worker:
    """A module of `bench.load` or `bench.floors` in a process of its own. It ends when this process does."""

    def __init__(self, module: str, *, processors: Iterable[int] | None = None, **specification: object) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        if processors is not None:
            os.sched_setaffinity(self._process.pid, processors)
        self.send(**specification)

    def send(self, **message: object) -> None:
        """Send the worker a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(message) + b"\n")

    def receive(self, seconds_max: float) -> dict[str, Any]:
        """Return the worker's next message.

        Raises:
            ProcessFailed: The worker ended, or sends nothing in this time.
        """
        output = self._process.stdout
        assert output is not None
        ready, _, _ = select.select([output], [], [], seconds_max)
        if not ready:
            raise ProcessFailed(f"{self._module} sent nothing for {seconds_max} s")
        line = output.readline()
        if not line:
            raise ProcessFailed(f"{self._module} ended with status {self._process.wait()}")
        message: dict[str, Any] = orjson.loads(line)
        return message

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


def flags(settings: Mapping[str, object]) -> list[str]:
    """Return settings as flags of a command."""
    return [part for name, setting in settings.items() for part in (f"--{name.replace('_', '-')}", str(setting))]


def _answer(ask: Callable[[], httpx.Response]) -> httpx.Response | None:
    try:
        return ask()
    except httpx.TransportError:
        return None


def _prefix(directory: Path, root: Path) -> list[str]:
    """Run a command with the code at `root`, whatever is installed, and without the caller's own settings."""
    unset = [f"--unset={name}" for name in os.environ if name.startswith("KVS_") or name == _NO_BYTECODE]
    return ["/usr/bin/env", f"--chdir={directory}", *unset, f"PYTHONPATH={root}"]
