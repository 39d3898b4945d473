"""The commands that serve: how they refuse, how they end, and what goes on over a restart."""

import asyncio
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from time import monotonic

import httpx
import orjson
import psutil
import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.runtime import running
from kvs_graphql.settings import load_settings
from kvs_graphql.state import State
from tests.cli.test_asking import Ended, command, ended, line_of
from tests.serving import serving, write
from tests.transports import until_active

SECRET = "swordfish"  # noqa: S105 - of a broker that is not there
SERVES = r"serves topic \S+ at (http://\S+)/graphql"


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def serve(broker: EmbeddedBroker, topic: str, directory: Path) -> AsyncIterator[tuple[Process, str]]:
    """`kvs-graphql serve`, and the URL at which it says it listens."""
    flags = ("--bootstrap-servers", broker.bootstrap_servers, "--topic", topic, "--port", "0")
    async with command("serve", *flags, directory=directory) as process:
        yield process, (await line_of(process.stderr, SERVES)).group(1)


@asynccontextmanager
async def sse_text(http: httpx.AsyncClient, document: str) -> AsyncIterator[AsyncIterator[str]]:
    """The events of a subscription, as they come."""
    headers = {"accept": "text/event-stream"}
    async with http.stream("POST", "/graphql", json={"query": document}, headers=headers) as events:
        yield events.aiter_text()


async def ended_by(process: Process, number: signal.Signals) -> tuple[int | None, float]:
    """The exit code after that signal, and the seconds it took."""
    began = monotonic()
    process.send_signal(number)
    await process.communicate()
    return process.returncode, monotonic() - began


def refused(found: Ended, code: int, *named: str) -> None:
    """The command ended with that code and one line, which names those."""
    assert found.code == code, found.errors
    assert found.errors.startswith("kvs-graphql: ")
    assert found.errors.count("\n") == 1
    for name in named:
        assert name in found.errors


async def test_a_wrong_setting_ends_with_2_and_one_line_that_names_its_variable(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KVS_LOG_LEVEL=loud\n")
    sasl = {"KVS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KVS_KAFKA_PASSWORD": SECRET, "KVS_LOG_LEVEL": "info"}
    flag, file, cross = await asyncio.gather(
        ended("serve", "--port", "http", directory=tmp_path, KVS_LOG_LEVEL="info"),
        ended("serve", directory=tmp_path),
        ended("serve", directory=tmp_path, **sasl),
    )
    refused(flag, 2, "KVS_PORT=http")
    refused(file, 2, "KVS_LOG_LEVEL=loud")
    refused(cross, 2, "KVS_KAFKA_USERNAME")
    assert SECRET not in cross.errors


@pytest.mark.parametrize(
    ("flag", "value", "named"),
    [
        ("--bootstrap-servers", "host:port", "KVS_BOOTSTRAP_SERVERS=host:port"),
        ("--cors-origins", "nonsense", "KVS_CORS_ORIGINS="),
        ("--kafka-ca-file", "no.pem", "KVS_KAFKA_CA_FILE=no.pem"),
    ],
)
async def test_a_setting_that_only_a_library_can_judge_is_refused_as_clearly(
    tmp_path: Path, flag: str, value: str, named: str
) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    arguments = ("--kafka-security-protocol", "SSL", "--port", "0", flag, value)
    async with asyncio.timeout(5):
        refused(await ended("serve", *arguments, directory=tmp_path), 2, named)


async def test_a_port_or_a_database_in_use_is_refused_by_its_own_code(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path) as served:
        port = served.run.url.rpartition(":")[2]
        same_port, same_file, demo = await asyncio.gather(
            ended("serve", "--port", port, "--database", "other.db", directory=tmp_path),
            ended("serve", "--port", "0", "--database", "kvs.db", directory=tmp_path),
            ended("demo", "--port", port, directory=tmp_path),
        )
    refused(same_port, 2, f"KVS_PORT={port}", "Address already in use")
    refused(same_file, 3, "kvs.db is in use by another kvs-graphql process")
    refused(demo, 2, f"KVS_PORT={port}", "Address already in use")


async def test_sigterm_ends_serve_with_0_within_seconds_whoever_is_subscribed(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with (
        serve(embedded_broker, embedded_topic, tmp_path) as (process, url),
        httpx.AsyncClient(base_url=url) as http,
        sse_text(http, "subscription { updates(progress: true) { kind } }") as text,
    ):
        assert "LIVE" in await anext(text)
        code, seconds = await ended_by(process, signal.SIGTERM)
    assert code == 0
    assert seconds < 5
    assert not list(tmp_path.glob("*-wal"))


async def test_watch_goes_on_without_gap_or_repeat_after_the_service_was_restarted(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    broker, port = embedded_broker.bootstrap_servers, free_port()
    await write(broker, embedded_topic, [(b"k/1", b"before")])
    async with command("watch", "--prefix", "k/", "--json", KVS_URL=f"http://127.0.0.1:{port}") as watch:
        async with serving_at(port, broker, embedded_topic, tmp_path):
            assert await told(watch) == ("SNAPSHOT", "k/1", "before")
            assert await told(watch) == ("LIVE", None, None)
        await write(broker, embedded_topic, [(b"k/2", b"meanwhile"), (b"other", b"1"), (b"k/2", None)])
        await line_of(watch.stderr, "trying again")
        async with serving_at(port, broker, embedded_topic, tmp_path):
            assert await told(watch) == ("SET", "k/2", "meanwhile")
            assert await told(watch) == ("DELETE", "k/2", None)
            assert await told(watch) == ("LIVE", None, None)
            await write(broker, embedded_topic, [(b"k/2", b"again")])
            assert await told(watch) == ("SET", "k/2", "again")


async def test_watch_that_has_told_nothing_yet_misses_nothing_over_a_restart_either(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    broker, port = embedded_broker.bootstrap_servers, free_port()
    url = f"http://127.0.0.1:{port}"
    await write(broker, embedded_topic, [(b"k", b"before")])
    async with command("watch", "k", "--no-snapshot", "--url", url) as watch:
        async with serving_at(port, broker, embedded_topic, tmp_path), httpx.AsyncClient(base_url=url) as http:
            await until_active(http, 1)
        await write(broker, embedded_topic, [(b"k", b"meanwhile")])
        async with serving_at(port, broker, embedded_topic, tmp_path), asyncio.timeout(5):
            line = await line_of(watch.stdout, r"(?:SET|SNAPSHOT).*")
            assert line.group().split() == ["SET", "k", "meanwhile"]


@asynccontextmanager
async def serving_at(port: int, bootstrap_servers: str, topic: str, directory: Path) -> AsyncIterator[None]:
    """A live service at that port."""
    database = directory / "kvs.db"
    settings = load_settings(bootstrap_servers=bootstrap_servers, topic=topic, database=database, port=port)
    live = asyncio.Event()
    async with running(settings) as run:
        run.lifecycle.listen(lambda moment: live.set() if moment.state is State.LIVE else None)
        await live.wait()
        yield


async def told(process: Process) -> tuple[str, str | None, str | None]:
    """Kind, key and value of the next update that `watch --json` prints."""
    assert process.stdout is not None
    update = orjson.loads(await process.stdout.readline())
    return update["kind"], update["key"], (update["entry"] or {}).get("value")


async def test_the_demo_answers_and_ctrl_c_ends_all_of_it_with_0(tmp_path: Path) -> None:
    async with command("demo", "--port", "0", directory=tmp_path) as process:
        url = (await line_of(process.stdout, r"Playground\s+(http://\S+)/graphql")).group(1)
        children = psutil.Process(process.pid).children(recursive=True)
        document = 'subscription { updates(keys: ["memory"], snapshot: true) { entry { json(pointer: "/percent") } } }'
        async with httpx.AsyncClient(base_url=url) as http, sse_text(http, document) as text:
            while '"json":' not in await anext(text):
                pass
        code, seconds = await ended_by(process, signal.SIGINT)
    assert (code, len(children)) == (0, 1)
    assert seconds < 5
    assert psutil.wait_procs(children, timeout=5)[1] == []
    assert not list(tmp_path.iterdir())
