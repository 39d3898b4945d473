"""Keys, values and names that would command a terminal or forge a line, in real processes and a real service's log."""

import asyncio
import os
import pty
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.cli.test_read import Ended, command, ended, foreign_server, line_of
from tests.cli.test_serving import serve
from tests.deadline import SECONDS_MAX
from tests.serving import ServedTopic, serving_topic
from tests.test_printable import unsafe

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

HOSTILE = "\x1b]0;title\x07\r\nLIVE\t\x9b31m\u202egnp\u2066\u2028"
SHOWN = r"\x1b]0;title\x07\r\nLIVE\t\x9b31m\u202egnp\u2066\u2028"
OWN_STYLE = re.compile(r"\x1b\[\d+(;\d+)*m")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedTopic]:
    record = (HOSTILE.encode(), f"v{HOSTILE}".encode())
    directory = tmp_path_factory.mktemp("terminal")
    async with serving_topic(embedded_broker, directory, record, enable_writes=True, key_bytes_max=200) as topic:
        yield topic


def only_own_lines(found: Ended, lines: int) -> None:
    """Assert that the command printed so many lines, and nothing that does anything."""
    assert unsafe(found.output + found.errors) == {"\n"}
    assert (found.output + found.errors).count("\n") == lines


async def test_get_prints_one_row_per_key_and_json_exactly(topic: ServedTopic) -> None:
    url = ("--url", topic.served.run.url)
    plain, exact = await asyncio.gather(
        ended("get", HOSTILE, f"no{HOSTILE}", *url, COLUMNS="300"),
        ended("get", HOSTILE, f"no{HOSTILE}", "--json", *url),
    )
    only_own_lines(plain, 3)
    _, row, missing = plain.output.splitlines()
    assert row.split()[:2] == [SHOWN, f"v{SHOWN}"]
    assert missing.split() == [f"no{SHOWN}", "no", "value"]
    only_own_lines(exact, 2)
    assert [(entry["key"], entry["value"]) for entry in exact.objects] == [
        (HOSTILE, f"v{HOSTILE}"),
        (f"no{HOSTILE}", None),
    ]


async def test_watch_prints_one_line_per_change_and_json_exactly(topic: ServedTopic) -> None:
    url = ("--url", topic.served.run.url)
    async with command("watch", *url) as watch, command("watch", "--json", *url) as watch_json:
        assert watch.stdout is not None
        assert watch_json.stdout is not None
        line = (await watch.stdout.readline()).decode()
        assert line.split()[1:] == ["SNAPSHOT", SHOWN, f"v{SHOWN}"]
        assert (await watch.stdout.readline()).strip() == b"LIVE"
        exact = (await watch_json.stdout.readline()).decode()
    assert unsafe(line + exact) == {"\n"}
    update = orjson.loads(exact)
    assert (update["key"], update["entry"]["value"]) == (HOSTILE, f"v{HOSTILE}")


async def test_on_a_terminal_the_only_sequences_are_our_own_styles(topic: ServedTopic) -> None:
    shown = await on_a_terminal("get", HOSTILE, f"no{HOSTILE}", "--url", topic.served.run.url)
    assert OWN_STYLE.search(shown)
    assert unsafe(OWN_STYLE.sub("", shown).replace("\r\n", "")) == set()


async def on_a_terminal(*arguments: str) -> str:
    """All that a command prints to its terminal."""
    terminal, inner = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kvs_graphql", *arguments),
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "300"},
    )
    os.close(inner)
    printed = bytearray()

    def read() -> None:
        try:
            while chunk := os.read(terminal, 4096):
                printed.extend(chunk)
        except OSError:  # how Linux says that nobody has the terminal open any more
            pass

    async with asyncio.timeout(SECONDS_MAX):
        await asyncio.to_thread(read)
        await process.wait()
    os.close(terminal)
    return printed.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", f"--{HOSTILE}"),
        (HOSTILE,),
        ("load", HOSTILE),
        ("serve", "--topic", HOSTILE),
        ("get", "a", "--url", HOSTILE),
    ],
)
async def test_usage_errors_print_arguments_without_obeying_them(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    found = await ended(*arguments, directory=tmp_path)
    assert found.code == 2
    assert unsafe(found.errors) == {"\n"}
    assert r"\x1b]0;title\x07\r\nLIVE" in found.errors
    assert not re.search("^LIVE", found.errors, re.MULTILINE)


@pytest.mark.parametrize("arguments", [("get", "\udcff"), ("set", "a", "\udcff"), ("watch", "--prefix", "\udcff")])
async def test_arguments_that_are_not_utf8_are_refused(arguments: tuple[str, ...]) -> None:
    found = await ended(*arguments)
    assert found.code == 2
    assert found.errors.splitlines()[-1].endswith("not valid UTF-8")


async def test_errors_of_whoever_answers_are_one_line() -> None:
    errors = {"errors": [{"message": HOSTILE, "extensions": {"code": HOSTILE}}]}
    async with foreign_server(orjson.dumps(errors)) as url:
        for arguments in (("get", "a"), ("set", "a", "1"), ("status",)):
            found = await ended(*arguments, "--url", url)
            only_own_lines(found, 1)
            assert found.errors == f"kvs-graphql: {SHOWN}\n"


async def test_status_prints_whatever_a_service_says_in_rows() -> None:
    names = ("topic", "compacted", "ready", "state", "reason", "since", "entries", "lag", "version")
    status: dict[str, Any] = dict.fromkeys(names, f"[bold]{HOSTILE}")
    status["tables"] = [{**status, "name": HOSTILE, "partitions": []}]
    async with foreign_server(orjson.dumps({"data": {"status": status}})) as url:
        found = await ended("status", "--url", url, COLUMNS="300")
    only_own_lines(found, 10)
    assert f"reason     [bold]{SHOWN}" in found.output


async def test_load_reports_refused_lines_in_one_line_each(topic: ServedTopic, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(orjson.dumps({"key": HOSTILE * 20, "value": "1"}) + b'\n{"\x1b\x9b": \x07\r}\n')
    found = await ended("load", str(file), "--url", topic.served.run.url)
    only_own_lines(found, 3)
    assert found.code == 1


@pytest.mark.parametrize("form", ["console", "json"])
async def test_headers_of_clients_forge_nothing_in_the_log(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, form: str
) -> None:
    """Bytes above 0x7f are allowed in header fields, and 0x9b begins a sequence as ESC [ does."""
    async with serve(embedded_broker, embedded_topic, tmp_path, KVS_LOG_FORMAT=form) as (process, url):
        await refused_websocket(httpx.URL(url), "http://a\x9b31m\x85LIVE\x90")
        line = (await line_of(process.stderr, ".*WebSocket refused.*\n")).group()
    assert unsafe(line) == {"\n"}
    if form == "json":
        assert orjson.loads(line)["origin"] == "http://a\x9b31m\x85LIVE\x90"
    else:
        assert r"http://a\x9b31m\x85LIVE\x90" in line


async def refused_websocket(url: httpx.URL, origin: str) -> None:
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = [
        *("GET /graphql HTTP/1.1", f"Host: {url.host}:{url.port}", f"Origin: {origin}", "Connection: Upgrade"),
        *("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        "Sec-WebSocket-Protocol: graphql-transport-ws",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode("latin-1"))
    try:
        await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()
