"""Normalising caches with the real clients: an `id` means the entry in its latest state, whatever field it came by."""

import asyncio
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.serving import Served, ServedTopic, serving_topic

pytestmark = [
    pytest.mark.node,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("kind", ["apollo", "graphcache", "relay"]),
]


class Cache:
    """A client with its cache, which a Node.js process holds."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def query(self, name: str, **variables: Any) -> Any:
        """Send a query; return what the cache then has for it."""
        return (await self._answer("query", name, variables))["data"]

    async def value(self, key: str) -> Any:
        """Return the value that the cache has for a key, without the service; None for none."""
        data = (await self._answer("read", "value", {"key": key}))["data"]
        entry = data and data["value"]
        assert entry is None or entry["__typename"] == "Entry"
        return entry and entry["value"]

    async def mutate(self, name: str, **variables: Any) -> Any:
        return (await self._answer("mutate", name, variables))["data"]

    async def watch(self, *keys: str) -> None:
        """Subscribe to keys, evicting what is deleted."""
        await self._send("watch", "updates", {"keys": keys})
        await self.update("LIVE")

    async def update(self, kind: str) -> None:
        """Wait for the next update, which must be of that kind."""
        assert await self._line() == {"update": kind}

    async def _answer(self, command: str, name: str, variables: dict[str, Any]) -> Any:
        await self._send(command, name, variables)
        return await self._line()

    async def _send(self, command: str, name: str, variables: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps({"do": command, "name": name, "variables": variables}) + b"\n")
        await self._process.stdin.drain()

    async def _line(self) -> Any:
        assert self._process.stdout is not None
        return orjson.loads(await self._process.stdout.readline())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedTopic]:
    directory = tmp_path_factory.mktemp("caches")
    async with serving_topic(embedded_broker, directory, enable_writes=True) as topic:
        await topic.served.state(State.LIVE)
        yield topic


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def artifacts(npm_clients: Path, topic: ServedTopic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with what relay-compiler makes of the operations and the schema that is served."""
    directory = tmp_path_factory.mktemp("relay")
    (directory / "documents.js").write_text((npm_clients / "caches" / "documents.js").read_text())
    (directory / "schema.graphql").write_text((await topic.served.http.get("/schema.graphql")).text)
    (directory / "artifacts").mkdir()
    (directory / "package.json").write_text('{"type": "module"}')
    options = {"src": ".", "schema": "schema.graphql", "language": "javascript", "eagerEsModules": True}
    (directory / "relay.config.json").write_bytes(orjson.dumps({**options, "artifactDirectory": "artifacts"}))
    compiler = npm_clients / "node_modules" / ".bin" / "relay-compiler"
    compiling = await asyncio.create_subprocess_exec(
        compiler, "relay.config.json", cwd=directory, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await compiling.communicate()
    assert compiling.returncode == 0, output.decode()
    return directory / "artifacts"


@asynccontextmanager
async def opened(directory: Path, kind: str, served: Served, artifacts: Path) -> AsyncIterator[Cache]:
    command = ("node", "caches/run.js", kind, f"{served.run.url}/graphql", str(artifacts))
    process = await asyncio.create_subprocess_exec(*command, cwd=directory, stdin=PIPE, stdout=PIPE)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield Cache(process)
    finally:
        await process.communicate(b"")  # Closes stdin, which ends the process.


@pytest_asyncio.fixture(loop_scope="module")
async def cache(npm_clients: Path, kind: str, topic: ServedTopic, artifacts: Path) -> AsyncIterator[Cache]:
    async with opened(npm_clients, kind, topic.served, artifacts) as cache:
        yield cache


async def test_history_of_a_key_is_what_was_written_and_its_value_the_last(
    topic: ServedTopic, cache: Cache, kind: str
) -> None:
    key = f"counted/{kind}"
    await topic.write(*((key.encode(), value) for value in (b"1", b"2", b"3")))
    entry = (await cache.query("history", key=key))["value"]
    assert [(past["kind"], past["value"]) for past in entry["history"]] == [("SET", "1"), ("SET", "2"), ("SET", "3")]
    assert entry["value"] == "3"


async def test_key_that_was_deleted_and_set_again_does_not_fall_back_to_an_old_value(
    topic: ServedTopic, cache: Cache, kind: str
) -> None:
    key = f"again/{kind}"
    await topic.write((key.encode(), b"old"), (key.encode(), None), (key.encode(), b"new"), (key.encode(), b"newer"))
    await cache.query("value", key=key)
    history = (await cache.query("history", key=key))["value"]["history"]
    assert [past["value"] for past in history] == ["old", None, "new", "newer"]
    assert await cache.value(key) == "newer"


async def test_update_that_deletes_evicts_the_entry_until_it_is_set_again(
    topic: ServedTopic, cache: Cache, kind: str
) -> None:
    key = f"watched/{kind}"
    await topic.write((key.encode(), b"1"))
    await cache.query("value", key=key)
    await cache.watch(key)
    await topic.write((key.encode(), None))
    await cache.update("DELETE")
    assert await cache.value(key) is None
    await topic.write((key.encode(), b"2"))
    await cache.update("SET")
    assert await cache.query("value", key=key) is not None
    assert await cache.value(key) == "2"


async def test_mutations_change_and_evict_the_entry(topic: ServedTopic, cache: Cache, kind: str) -> None:
    key = f"written/{kind}"
    await topic.write((key.encode(), b"1"))
    await cache.query("value", key=key)
    written = (await cache.mutate("set", key=key, value="2"))["set"]["entry"]
    assert [past["value"] for past in written["history"]] == ["1", "2"]
    assert await cache.value(key) == "2"
    await cache.mutate("delete", key=key)
    assert await cache.value(key) is None
