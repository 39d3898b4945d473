"""The commands that ask a service, each in a process of its own; and the processes of the other tests here."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from kvs_graphql.api import print_schema
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.settings import Settings, variable
from tests.api.test_values import Holding, Pair, holding

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS_MAX = 30.0
AT_ONCE = 3
RECORDS: list[Pair] = [
    (b"plain", b"text"),
    (b"raw", b"\xff\x00"),
    (b"[/]", b'["[bold]", "[/]"]'),
    (b"escape", b"\x1b]0;title\x07"),
    (b"empty", b""),
]
NOT_OURS = {
    "another service": b'{"detail": "Not Found"}',
    "a page": b"<html>",
    "no data": b'{"data": null}',
    "strange errors": b'{"errors": ["broken"]}',
}


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int | None
    output: str
    errors: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The output, one JSON object a line."""
        return [orjson.loads(line) for line in self.output.splitlines()]


@asynccontextmanager
async def command(*arguments: str, directory: Path | None = None, **environment: str) -> AsyncIterator[Process]:
    """A command that runs, and is killed when the context ends before it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KVS_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "kvs_graphql",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        cwd=directory,
        env={**inherited, **environment, "COLUMNS": "100"},
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def ended(*arguments: str, directory: Path | None = None, **environment: str) -> Ended:
    async with command(*arguments, directory=directory, **environment) as process:
        output, errors = await process.communicate()
    return Ended(process.returncode, output.decode(), errors.decode())


async def line_of(stream: asyncio.StreamReader | None, pattern: str) -> re.Match[str]:
    """The first line that has the pattern; those before it are passed over."""
    assert stream is not None
    passed = []
    async for line in stream:
        if found := re.search(pattern, line.decode()):
            return found
        passed.append(line.decode())
    raise AssertionError(f"ended without {pattern!r}: {''.join(passed)}")


@asynccontextmanager
async def answering(body: bytes) -> AsyncIterator[str]:
    """The URL of a server that answers everything so, and is no kvs-graphql."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def held(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Holding]:
    async with holding(embedded_broker, tmp_path_factory.mktemp("asking"), *RECORDS) as held:
        yield held


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answers(held: Holding) -> dict[str, Ended]:
    """All commands that only ask once, run a few at a time: most of their time is Python's start."""
    here = {"KVS_URL": held.served.run.url}
    few = asyncio.Semaphore(AT_ONCE)

    async def ask(*arguments: str, **environment: str) -> tuple[str, Ended]:
        async with few:
            return " ".join(arguments), await ended(*arguments, directory=None, **environment)

    asked = await asyncio.gather(
        ask("get", "plain", "empty", "never", **here),
        ask("get", "plain", "never", "raw", "--json", **here),
        ask("get", "[/]", "escape", **here),
        ask("get", "x" * 70_000, **here),
        ask("get", "plain", KVS_URL="http://127.0.0.1:1"),
        ask("status", **here),
        ask("status", "--json", **here),
        ask("schema"),
        ask("--help"),
        ask("serve", "--help"),
    )
    return dict(asked)


async def test_get_shows_values_in_a_table_and_ends_with_1_where_a_key_has_none(answers: dict[str, Ended]) -> None:
    found = answers["get plain empty never"]
    assert (found.code, found.errors) == (1, "")
    head, plain, empty, never, *_ = found.output.splitlines()
    assert head.split() == ["key", "value", "partition", "offset", "time"]
    assert plain.split()[:4] == ["plain", "text", "0", "0"]
    assert empty.split()[:3] == ["empty", "0", "4"]
    assert never.split() == ["never", "no", "value"]


async def test_get_prints_json_with_what_is_no_text_as_base64(answers: dict[str, Ended]) -> None:
    found = answers["get plain never raw --json"]
    plain, never, raw = found.objects
    assert found.code == 1
    assert (plain["key"], plain["value"], plain["id"], plain["offset"]) == ("plain", "text", "cGxhaW4", 0)
    assert never == {"key": "never", "value": None}
    assert (raw["value"], raw["valueBase64"]) == (None, "/wA=")


async def test_get_shows_brackets_as_they_are_and_lets_no_value_command_the_terminal(
    answers: dict[str, Ended],
) -> None:
    found = answers["get [/] escape"]
    assert (found.code, found.errors) == (0, "")
    assert found.output.splitlines()[1].startswith(' [/]     ["[bold]", "[/]"] ')
    assert "\x1b" not in found.output


async def test_what_the_service_refuses_is_one_line_and_ends_with_1(answers: dict[str, Ended]) -> None:
    found = answers[f"get {'x' * 70_000}"]
    assert (found.code, found.output) == (1, "")
    assert found.errors == "kvs-graphql: A key has at most 65536 bytes.\n"


async def test_a_service_that_does_not_answer_is_one_line_and_ends_with_6(answers: dict[str, Ended]) -> None:
    found = answers["get plain"]
    assert (found.code, found.output) == (6, "")
    assert found.errors.startswith("kvs-graphql: No kvs-graphql answers at http://127.0.0.1:1: ")
    assert found.errors.count("\n") == 1


async def test_a_server_that_is_no_kvs_graphql_is_one_line_and_ends_with_6() -> None:
    async def asked(body: bytes) -> Ended:
        async with answering(body) as url:
            return await ended("get", "plain", "--url", url)

    found = dict(zip(NOT_OURS, await asyncio.gather(*map(asked, NOT_OURS.values())), strict=True))
    assert {name: (told.code, told.output, told.errors.count("\n")) for name, told in found.items()} == dict.fromkeys(
        NOT_OURS, (6, "", 1)
    )


async def test_status_tells_how_the_service_is(held: Holding, answers: dict[str, Ended]) -> None:
    table, (facts,) = answers["status"], answers["status --json"].objects
    assert (table.code, answers["status --json"].code) == (0, 0)
    assert re.search(rf"topic\s+{held.topic}\s", table.output)
    assert re.search(r"state\s+LIVE\s", table.output)
    assert re.search(r"\n 0\s+5\s+5\s+0\s", table.output)
    assert (facts["topic"], facts["ready"], facts["state"], facts["lag"]) == (held.topic, True, "LIVE", 0)
    assert facts["entries"] == len(RECORDS)
    (partition,) = facts["partitions"]
    assert partition.items() >= {"partition": 0, "position": 5, "endOffset": 5, "lag": 0}.items()


async def test_status_of_a_service_that_is_not_ready_ends_with_1(tmp_path: Path) -> None:
    data = {"topic": "t", "ready": False, "state": "CATCHING_UP", "reason": "", "since": "", "entries": 0, "lag": 9}
    rest = {"cursor": "", "version": "", "partitions": [], "sizes": {}}
    async with answering(orjson.dumps({"data": {"status": data | rest}})) as url:
        found = await ended("status", "--json", "--url", url, directory=tmp_path)
    assert (found.code, found.objects[0]["state"]) == (1, "CATCHING_UP")


async def test_schema_prints_the_schema_and_nothing_else(answers: dict[str, Ended]) -> None:
    found = answers["schema"]
    assert (found.code, found.output, found.errors) == (0, print_schema(), "")


async def test_help_lists_every_setting_and_every_command(answers: dict[str, Ended]) -> None:
    text = answers["--help"].output
    assert [name for name in Settings.model_fields if variable(name) not in text] == []
    for name in ("serve", "demo", "get", "watch", "status", "schema"):
        assert re.search(rf"^  {name} ", text, re.MULTILINE)


async def test_serve_has_a_flag_for_every_setting(answers: dict[str, Ended]) -> None:
    text = answers["serve --help"].output
    flags = [f"--{name.replace('_', '-')}" for name in Settings.model_fields]
    assert [flag for flag in flags if flag not in text] == []
