"""The commands that write, each in its own process, to a service on the embedded broker."""

import asyncio
import os
import pty
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.records import Positions, advance
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.serving import Served, serving

pytestmark = pytest.mark.slow

NO_SERVICE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int | None
    output: str
    errors: str


async def run(*arguments: str, stdin: bytes | None = None, stderr: int = PIPE) -> Ended:
    """Run a command until it ends."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KVS_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kvs_graphql", *arguments, stdin=PIPE, stdout=PIPE, stderr=stderr, env=environment
    )
    async with asyncio.timeout(SECONDS_MAX):
        output, errors = await process.communicate(stdin)
    return Ended(process.returncode, output.decode(), (errors or b"").decode())


@asynccontextmanager
async def writable(broker: EmbeddedBroker, topic: str, directory: Path, **settings: Any) -> AsyncIterator[Served]:
    """A live service with writes enabled."""
    async with serving(broker.bootstrap_servers, topic, directory, **{"enable_writes": True, **settings}) as served:
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        yield served


async def values(served: Served, *keys: str) -> list[str | None]:
    """Return the values of keys after everything written so far is applied."""
    writes = " ".join(f'd{n}: delete(key: "marker-{n}") {{ partition offset }}' for n in range(20))
    positions: Positions = ()
    for write in (await served.data(f"mutation {{ {writes} }}")).values():
        positions = advance(positions, write["partition"], write["offset"] + 1)
    await served.applied(positions)
    entries = (await served.data("query ($keys: [String!]!) { values(keys: $keys) { value } }", keys=list(keys)))[
        "values"
    ]
    return [None if entry is None else entry["value"] for entry in entries]


def line(key: str, value: object) -> bytes:
    return orjson.dumps({"key": key, "value": value}) + b"\n"


async def test_a_key_is_set_and_deleted(embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path) -> None:
    async with writable(embedded_broker, embedded_topic, tmp_path) as served:
        url = ("--url", served.run.url)
        found = await run("set", *url, "--json", "--", "a", "-1")
        assert (found.code, found.errors) == (0, "")
        written = orjson.loads(found.output)
        assert (written["key"], written["offset"]) == ("a", 0)
        assert await values(served, "a") == ["-1"]
        found = await run("delete", "a", *url)
        assert re.fullmatch(r"partition \d, offset \d+, cursor [\w-]+\n", found.output), found
        assert await values(served, "a") == [None]


async def test_a_service_without_writes_refuses_every_write_command(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with writable(embedded_broker, embedded_topic, tmp_path, enable_writes=False) as served:
        url = ("--url", served.run.url)
        for found in (
            await run("set", "a", "1", *url),
            await run("delete", "a", *url),
            await run("load", "-", *url, stdin=line("a", "1") * 1_000),
        ):
            assert found.code == 1
            assert "KVS_ENABLE_WRITES" in found.errors
            assert len(found.errors.splitlines()) == 1


async def test_load_writes_a_file_and_reports_refused_lines_by_number(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "file.ndjson"
    file.write_bytes(
        b"".join(
            (
                line("gone", "1"),
                line("text", "wért"),
                b"not JSON\n",
                line("json", {"a": [1, None]}),
                line("large", "x" * 101),
                line("gone", None),
                line("long key " * 10, "1"),
            )
        )
    )
    limits = {"value_bytes_max": 100, "key_bytes_max": 50}
    async with writable(embedded_broker, embedded_topic, tmp_path, **limits) as served:
        found = await run("load", str(file), "--url", served.run.url)
        assert (found.code, found.output) == (1, "4 written, 3 refused\n")
        refused = dict(re.findall(r"^line (\d+): (.*)$", found.errors, re.MULTILINE))
        assert set(refused) == {"3", "5", "7"}
        assert "JSON" in refused["3"]
        assert refused["5"].startswith("VALUE_TOO_LARGE: ")
        assert refused["7"].startswith("BAD_KEY: ")
        assert await values(served, "gone", "text", "json", "large") == [None, "wért", '{"a":[1,null]}', None]


async def test_load_reads_csv_by_file_name_or_by_format_option(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "file.csv"
    file.write_text('key,value\na,1\n"b ""quoted""","two\nlines"\nbad\n')
    async with writable(embedded_broker, embedded_topic, tmp_path) as served:
        found = await run("load", str(file), "--url", served.run.url)
        assert (found.code, found.output) == (1, "2 written, 1 refused\n")
        assert found.errors == "line 5: has 1 columns instead of 2\n"
        found = await run("load", "-", "--format", "csv", "--url", served.run.url, stdin=b"c,3\n")
        assert (found.code, found.output) == (0, "1 written, 0 refused\n")
        assert await values(served, "a", 'b "quoted"', "c") == ["1", "two\nlines", "3"]


async def test_load_keeps_the_order_of_the_lines_of_each_key(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    lines = [line(f"key-{n % 11}", None if n % 7 == 3 else str(n)) for n in range(3_000)]
    last = {n % 11: None if n % 7 == 3 else str(n) for n in range(3_000)}
    async with writable(embedded_broker, embedded_topic, tmp_path) as served:
        found = await run("load", "-", "--url", served.run.url, stdin=b"".join(lines))
        assert (found.code, found.output) == (0, "3,000 written, 0 refused\n")
        assert await values(served, *(f"key-{n}" for n in range(11))) == [last[n] for n in range(11)]


@pytest.mark.parametrize("limits", [{"query_aliases_max": 0}, {"query_tokens_max": 60}, {"request_bytes_max": 2_000}])
async def test_load_sends_smaller_requests_to_a_service_with_low_limits(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, limits: dict[str, int]
) -> None:
    lines = [line(f"key-{n}", "x" * 3_000 if n == 70 else f"{n}") for n in range(200)]
    large = "request_bytes_max" in limits
    async with writable(embedded_broker, embedded_topic, tmp_path, **limits) as served:
        found = await run("load", "-", "--url", served.run.url, stdin=b"".join(lines))
        assert found.output == ("199 written, 1 refused\n" if large else "200 written, 0 refused\n")
        assert found.code == int(large)
        assert found.errors.startswith("line 71: LIMIT_EXCEEDED") if large else not found.errors


async def test_load_without_a_service_sends_nothing_and_exits_with_6(tmp_path: Path) -> None:
    found = await run("load", "-", "--url", NO_SERVICE, stdin=line("a", "1"))
    assert (found.code, found.output) == (6, "0 written, 0 refused\n")
    assert len(found.errors.splitlines()) == 1
    assert (await run("load", str(tmp_path / "nothing"))).code == 2


async def test_load_reports_lines_without_a_response_when_the_service_goes_away() -> None:
    """The server here answers the first query and closes the connection at the first write."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(re.findall(rb"content-length: (\d+)", request.lower())[0]))
        if b"__type" in body:
            data = b'{"data":{"__type":null,"__schema":{"queryType":{"fields":[{"name":"values"}]}}}}'
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % len(data)
            writer.write(head + b"connection: close\r\n\r\n" + data)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        found = await run("load", "-", "--url", url, stdin=b"".join(line("same", n) for n in range(3)))
    assert (found.code, found.output) == (6, "0 written, 0 refused\n")
    assert found.errors.splitlines()[0] == "no response; these lines may have been written: 1-3"


def read_all(terminal: int) -> bytes:
    """Read all output of a terminal until its other end is closed."""
    written = b""
    with suppress(OSError):
        while chunk := os.read(terminal, 65_536):
            written += chunk
    return written


async def test_load_shows_its_progress_on_a_terminal(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "file.ndjson"
    file.write_bytes(b"".join(line(f"key-{n}", "1") for n in range(2_000)))
    terminal, stderr = pty.openpty()
    # Without a reader, the progress of a slow run would fill the terminal's buffer and block the command.
    reading = asyncio.create_task(asyncio.to_thread(read_all, terminal))
    async with writable(embedded_broker, embedded_topic, tmp_path) as served:
        try:
            found = await run("load", str(file), "--url", served.run.url, stderr=stderr)
        finally:
            os.close(stderr)
            shown = await reading
            os.close(terminal)
    assert (found.code, found.output) == (0, "2,000 written, 0 refused\n")
    assert re.search(rb"\d written, 0 refused", shown)
