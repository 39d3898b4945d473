"""The commands that serve: refusals, shutdown, and clients across a restart."""

import asyncio
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.cli.test_read import Ended, command, ended, line_of
from tests.deadline import SECONDS_MAX
from tests.ports import free_port
from tests.serving import serving, write
from tests.transports import until_active

pytestmark = pytest.mark.slow

SECRET = "swordfish"  # noqa: S105 - no broker has this password
# Without open requests a stop does not use any of it.
NEVER_SECONDS = "600"
SERVES = r"serves topic \S+ at (http://\S+)/graphql"


@asynccontextmanager
async def serve(
    broker: EmbeddedBroker, topic: str, directory: Path, *, files_max: int | None = None, **environment: str
) -> AsyncIterator[tuple[Process, str]]:
    """`kvs-graphql serve`, and the URL that it prints."""
    flags = ("--bootstrap-servers", broker.bootstrap_servers, "--topic", topic, "--port", "0")
    async with command("serve", *flags, directory=directory, files_max=files_max, **environment) as process:
        yield process, (await line_of(process.stderr, SERVES)).group(1)


@asynccontextmanager
async def sse_text(http: httpx.AsyncClient, document: str) -> AsyncIterator[AsyncIterator[str]]:
    """The event stream of a subscription as text."""
    headers = {"accept": "text/event-stream"}
    async with http.stream("POST", "/graphql", json={"query": document}, headers=headers) as events:
        yield events.aiter_text()


async def exit_code_after(process: Process, number: signal.Signals) -> int | None:
    """Send a signal and return the exit code."""
    process.send_signal(number)
    await process.communicate()
    return process.returncode


def refused(found: Ended, code: int, *named: str) -> None:
    """Assert that the command ended with this code and one line that contains these names."""
    assert found.code == code, found.errors
    assert found.errors.startswith("kvs-graphql: ")
    assert found.errors.count("\n") == 1
    for name in named:
        assert name in found.errors


async def test_a_wrong_setting_is_one_line_that_names_its_variable_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KVS_LOG_LEVEL=loud\n")
    sasl: dict[str, Any] = {
        "KVS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KVS_KAFKA_PASSWORD": SECRET,
        "KVS_LOG_LEVEL": "info",
    }
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
async def test_a_setting_that_a_library_validates_is_refused_in_the_same_way(
    tmp_path: Path, flag: str, value: str, named: str
) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    arguments = ("--kafka-security-protocol", "SSL", "--port", "0", flag, value)
    refused(await ended("serve", *arguments, directory=tmp_path), 2, named)


async def test_a_port_or_a_database_in_use_is_refused(
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


async def test_the_address_that_is_printed_has_the_path_prefix(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with httpx.AsyncClient() as http:
        async with serve(embedded_broker, embedded_topic, tmp_path, KVS_ROOT_PATH="/kvs") as (_, url):
            assert url.endswith("/kvs")
            assert (await http.get(f"{url}/healthz")).is_success
        async with command("demo", "--port", "0", directory=tmp_path, KVS_ROOT_PATH="/kvs") as demo:
            dashboard = (await line_of(demo.stdout, r"Dashboard +(http://\S+)")).group(1)
            assert dashboard.endswith("/kvs/")
            # Where the pages are not built, it leads elsewhere.
            assert not (await http.get(dashboard)).is_error


@pytest.mark.parametrize(("flags", "needed"), [((), 112), (("--connections-max", "1000"), 1096)])
async def test_too_few_file_descriptors_are_refused_with_the_number_needed(
    tmp_path: Path, flags: tuple[str, ...], needed: int
) -> None:
    few = str(needed - 1)
    refused(await ended("serve", "--port", "0", *flags, directory=tmp_path, files_max=needed - 1), 2, str(needed), few)


async def test_few_descriptors_are_kept_for_kafka_the_table_and_probes(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    """Clients that open all connections they can leave the service alive, and its state visible."""
    async with (
        serve(embedded_broker, embedded_topic, tmp_path, files_max=256) as (process, url),
        httpx.AsyncClient(base_url=url) as http,
        sse_text(http, "subscription { updates(progress: true) { kind key } }") as text,
    ):
        assert "LIVE" in await anext(text)
        address = httpx.URL(url)
        held = [await asyncio.open_connection(address.host, address.port) for _ in range(400)]
        async with httpx.AsyncClient(base_url=url) as probe:
            for _ in range(3):
                assert (await probe.get("/readyz")).status_code == 200
            assert (await probe.get("/metrics")).status_code == 503
        await write(embedded_broker.bootstrap_servers, embedded_topic, [(b"while full", b"1")])
        while "while full" not in await anext(text):
            pass
        for _, writer in held:
            writer.transport.abort()
        assert await exit_code_after(process, signal.SIGTERM) == 0


async def test_sigterm_stops_serve_with_0_without_waiting_for_subscribers(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with (
        serve(embedded_broker, embedded_topic, tmp_path, KVS_SHUTDOWN_SECONDS_MAX=NEVER_SECONDS) as (process, url),
        httpx.AsyncClient(base_url=url) as http,
        sse_text(http, "subscription { updates(progress: true) { kind } }") as text,
    ):
        assert "LIVE" in await anext(text)
        assert await exit_code_after(process, signal.SIGTERM) == 0
    assert not list(tmp_path.glob("*-wal"))


async def test_watch_resumes_after_a_restart_without_gap_or_duplicate(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    broker, port = embedded_broker.bootstrap_servers, free_port()
    await write(broker, embedded_topic, [(b"k/1", b"before")])
    async with command("watch", "--prefix", "k/", "--json", KVS_URL=f"http://127.0.0.1:{port}") as watch:
        async with serving(broker, embedded_topic, tmp_path, port=port):
            assert await next_printed(watch) == ("SNAPSHOT", "k/1", "before")
            assert await next_printed(watch) == ("LIVE", None, None)
        await write(broker, embedded_topic, [(b"k/2", b"meanwhile"), (b"other", b"1"), (b"k/2", None)])
        await line_of(watch.stderr, "retrying")
        async with serving(broker, embedded_topic, tmp_path, port=port):
            # LIVE is of the table as the watch finds it, which may not have applied the changes yet.
            printed = [await next_printed(watch) for _ in range(3)]
            printed.remove(("LIVE", None, None))
            assert printed == [("SET", "k/2", "meanwhile"), ("DELETE", "k/2", None)]
            await write(broker, embedded_topic, [(b"k/2", b"again")])
            assert await next_printed(watch) == ("SET", "k/2", "again")


async def test_watch_without_any_update_yet_misses_nothing_across_a_restart(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    broker, port = embedded_broker.bootstrap_servers, free_port()
    await write(broker, embedded_topic, [(b"k", b"before")])
    async with command("watch", "k", "--no-snapshot", "--url", f"http://127.0.0.1:{port}") as watch:
        async with serving(broker, embedded_topic, tmp_path, port=port) as served:
            await until_active(served.http, 1)
        await write(broker, embedded_topic, [(b"k", b"meanwhile")])
        async with serving(broker, embedded_topic, tmp_path, port=port):
            line = await line_of(watch.stdout, r"(?:SET|SNAPSHOT).*")
            assert line.group().split() == ["SET", "k", "meanwhile"]


async def next_printed(watch: Process) -> tuple[str, str | None, str | None]:
    """The kind, key and value of the next update that `watch --json` prints."""
    assert watch.stdout is not None
    printed = orjson.loads(await watch.stdout.readline())
    return printed["kind"], printed["key"], (printed["entry"] or {}).get("value")


async def test_ctrl_c_stops_the_demo_and_its_broker_with_0(tmp_path: Path) -> None:
    # What this directory's own service serves is not the demo's.
    (tmp_path / "kvs.toml").write_text('[tables.orders]\ntopic = "shop.orders"\n')
    own: dict[str, Any] = {
        "KVS_SHUTDOWN_SECONDS_MAX": NEVER_SECONDS,
        "KVS_TOPIC": "shop.orders",
        "KVS_TABLES__ORDERS__WRITES": "true",
    }
    async with command("demo", "--port", "0", directory=tmp_path, **own) as process:
        url = (await line_of(process.stdout, r"Playground\s+(http://\S+)/graphql")).group(1)
        children = psutil.Process(process.pid).children(recursive=True)
        watch = 'systemUpdates(keys: ["memory"], snapshot: true) { entry { json(pointer: "/percent") } }'
        async with httpx.AsyncClient(base_url=url) as http, sse_text(http, f"subscription {{ {watch} }}") as text:
            while '"json":' not in await anext(text):
                pass
        assert await exit_code_after(process, signal.SIGINT) == 0
    assert len(children) == 1
    assert psutil.wait_procs(children, timeout=SECONDS_MAX)[1] == []
    assert [path.name for path in tmp_path.iterdir()] == ["kvs.toml"]


async def test_the_demo_suggests_a_query_over_two_tables_that_works(tmp_path: Path) -> None:
    async with command("demo", "--port", "0", directory=tmp_path) as process, httpx.AsyncClient() as http:
        url = (await line_of(process.stdout, r"curl -s (http://\S+)")).group(1)
        body = (await line_of(process.stdout, r"-d '(.*)'")).group(1)
        data = (await http.post(url, content=body, headers={"content-type": "application/json"})).json()["data"]
    assert set(data) == {"cpuEntries", "processesEntries"}
    assert all(edge["node"]["data"]["name"] for edge in data["processesEntries"]["edges"])
