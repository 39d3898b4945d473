"""The service as a separate process that can be killed, stopped and started again at the same address."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from kvs_graphql.records import Positions, covers
from tests.deadline import SECONDS_MAX
from tests.kafka.process import GuardedProcess
from tests.plain import NO_TLS
from tests.ports import HOST, free_port

POLL_SECONDS = 0.02
STOP_SECONDS_MAX = 20.0
POSITIONS = "{ status { tables { partitions { position } } } }"


class Replica:
    """A service of one topic, with its database and its log in `directory`. Made by `replica`."""

    def __init__(self, servers: str, topic: str, directory: Path, **settings: object) -> None:
        """With `config`, a file, it serves the tables in there instead of the topic."""
        config = settings.pop("config", None)
        directory.mkdir(exist_ok=True)
        port = free_port()
        self.database = directory / "kvs.db"
        self.url = f"http://{HOST}:{port}"
        self.http = httpx.AsyncClient(base_url=self.url, verify=NO_TLS, timeout=SECONDS_MAX)
        self._log = directory / "service.log"
        found = {"retry_seconds_max": 0.5, "metadata_refresh_seconds": 1, "log_format": "json", **settings}
        found |= {"bootstrap_servers": servers, "port": port}
        found |= {} if config else {"topic": topic, "database": self.database}
        self._variables = [f"KVS_CONFIG={config}"] if config else []
        self._flags = [f"--{name.replace('_', '-')}={value}" for name, value in found.items()]
        self._process: GuardedProcess | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the service does not run"
        return self._process.pid

    def logged(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        return [orjson.loads(line) for line in self._log.read_bytes().splitlines() if line.startswith(b"{")]

    async def start(self) -> None:
        """Start it; return once it listens."""
        assert self._process is None, "the service runs already"
        command = ["env", *self._variables, sys.executable, "-m", "kvs_graphql", "serve", *self._flags]
        self._process = GuardedProcess(command, self._log)
        async with asyncio.timeout(SECONDS_MAX):
            while not await self._listens():
                assert self._process.exit_status() is None, self._log.read_text()
                await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> None:
        """Stop it in order. Do nothing if it does not run."""
        process, self._process = self._process, None
        if process is not None:
            assert await asyncio.to_thread(process.terminate, STOP_SECONDS_MAX) == 0, self._log.read_text()

    def kill(self) -> None:
        """Kill it, as a power cut would. Do nothing if it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def forget(self) -> None:
        """Delete the database. The service must not run."""
        assert self._process is None, "the service runs"
        for file in self.database.parent.glob(f"{self.database.name}*"):
            file.unlink()

    async def data(self, document: str, **variables: Any) -> Any:
        """Return the data of a response without errors."""
        response = await self.http.post("/graphql", json={"query": document, "variables": variables})
        answer: dict[str, Any] = response.json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def positions(self) -> Positions:
        """Return the table's positions."""
        partitions = (await self.data(POSITIONS))["status"]["tables"][0]["partitions"]
        return tuple(partition["position"] for partition in partitions)

    async def applied(self, positions: Positions) -> None:
        """Return once everything below those positions is applied."""
        async with asyncio.timeout(SECONDS_MAX):
            while not covers(await self.positions(), positions):  # noqa: ASYNC110 - nothing to await over HTTP
                await asyncio.sleep(POLL_SECONDS)

    async def rebuilt(self, positions: Positions) -> None:
        """Return once a table with exactly those positions has replaced the current one."""
        async with asyncio.timeout(SECONDS_MAX):
            while await self.positions() != positions:  # noqa: ASYNC110 - nothing to await over HTTP
                await asyncio.sleep(POLL_SECONDS)

    async def _listens(self) -> bool:
        try:
            return (await self.http.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False


@asynccontextmanager
async def replica(servers: str, topic: str, directory: Path, **settings: object) -> AsyncIterator[Replica]:
    """A running service. It is stopped in order at the end, if it still runs."""
    service = Replica(servers, topic, directory, **settings)
    try:
        await service.start()
        yield service
        await service.stop()
    finally:
        service.kill()
        await service.http.aclose()
