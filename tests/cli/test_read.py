"""The commands that read from a service, each in its own process."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson
import pytest
import pytest_asyncio

from kvs_graphql.api import print_schema
from kvs_graphql.cli import main
from kvs_graphql.cli.options import settings_table
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.serving import Pair, ServedTopic, serving, serving_topic

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

AT_ONCE = 3
RECORDS: list[Pair] = [
    (b"plain", b"text"),
    (b"raw", b"\xff\x00"),
    (b"[/]", b'["[bold]", "[/]"]'),
    (b"escape", b"\x1b]0;title\x07"),
    (b"empty", b""),
]
FOREIGN = {
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
        """The output, one JSON object per line."""
        return [orjson.loads(line) for line in self.output.splitlines()]


@asynccontextmanager
async def command(
    *arguments: str,
    directory: Path | None = None,
    files_max: int | None = None,
    through: Sequence[str] = (),
    **environment: str,
) -> AsyncIterator[Process]:
    """Run a command, `through` another one; kill it if it is still running when the context ends."""
    limited = () if files_max is None else ("sh", "-c", f'ulimit -n {files_max} && exec "$@"', "sh")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KVS_")}
    process = await asyncio.create_subprocess_exec(
        *limited,
        *through,
        sys.executable,
        "-m",
        "kvs_graphql",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        cwd=directory,
        env={**inherited, "COLUMNS": "100", **environment},
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def ended(
    *arguments: str,
    directory: Path | None = None,
    files_max: int | None = None,
    through: Sequence[str] = (),
    **environment: str,
) -> Ended:
    async with command(*arguments, directory=directory, files_max=files_max, through=through, **environment) as process:
        output, errors = await process.communicate()
    return Ended(process.returncode, output.decode(), errors.decode())


async def line_of(stream: asyncio.StreamReader | None, pattern: str) -> re.Match[str]:
    """Return the match in the first line that matches; skip the lines before it."""
    assert stream is not None
    skipped = []
    async for line in stream:
        if found := re.search(pattern, line.decode()):
            return found
        skipped.append(line.decode())
    raise AssertionError(f"ended without {pattern!r}: {''.join(skipped)}")


@asynccontextmanager
async def foreign_server(body: bytes) -> AsyncIterator[str]:
    """The URL of another server, which answers every request with this body."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedTopic]:
    async with serving_topic(embedded_broker, tmp_path_factory.mktemp("read"), *RECORDS) as topic:
        yield topic


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answers(topic: ServedTopic) -> dict[str, Ended]:
    """Results of all commands that query once, run a few at a time, since each start of Python takes long."""
    here = {"KVS_URL": topic.served.run.url}
    slots = asyncio.Semaphore(AT_ONCE)

    async def ask(*arguments: str, **environment: Any) -> tuple[str, Ended]:
        async with slots:
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


async def test_get_prints_a_table_and_exits_with_1_if_a_key_has_no_value(answers: dict[str, Ended]) -> None:
    found = answers["get plain empty never"]
    assert (found.code, found.errors) == (1, "")
    head, plain, empty, never, *_ = found.output.splitlines()
    assert head.split() == ["key", "value", "partition", "offset", "time"]
    assert plain.split()[:4] == ["plain", "text", "0", "0"]
    assert empty.split()[:3] == ["empty", "0", "4"]
    assert never.split() == ["never", "no", "value"]


async def test_get_prints_json_with_binary_values_as_base64(answers: dict[str, Ended]) -> None:
    found = answers["get plain never raw --json"]
    plain, never, raw = found.objects
    assert found.code == 1
    assert (plain["key"], plain["value"], plain["id"], plain["offset"]) == ("plain", "text", "cGxhaW4", 0)
    assert never == {"key": "never", "value": None}
    assert (raw["value"], raw["valueBase64"]) == (None, "/wA=")


async def test_get_prints_markup_verbatim_and_escapes_control_characters(
    answers: dict[str, Ended],
) -> None:
    found = answers["get [/] escape"]
    assert (found.code, found.errors) == (0, "")
    assert found.output.splitlines()[1].startswith(' [/]     ["[bold]", "[/]"] ')
    assert "\x1b" not in found.output


async def test_an_error_of_the_service_is_one_line_and_exit_code_1(answers: dict[str, Ended]) -> None:
    found = answers[f"get {'x' * 70_000}"]
    assert (found.code, found.output) == (1, "")
    assert found.errors.startswith("kvs-graphql: ")
    assert "65536 bytes" in found.errors
    assert found.errors.count("\n") == 1


async def test_an_unreachable_service_is_one_line_and_exit_code_6(answers: dict[str, Ended]) -> None:
    found = answers["get plain"]
    assert (found.code, found.output) == (6, "")
    assert found.errors.startswith("kvs-graphql: No kvs-graphql service answers at http://127.0.0.1:1: ")
    assert found.errors.count("\n") == 1


async def test_a_foreign_server_is_one_line_and_exit_code_6() -> None:
    async def ask(body: bytes) -> Ended:
        async with foreign_server(body) as url:
            return await ended("get", "plain", "--url", url)

    results = dict(zip(FOREIGN, await asyncio.gather(*map(ask, FOREIGN.values())), strict=True))
    outcomes = {name: (found.code, found.output, found.errors.count("\n")) for name, found in results.items()}
    assert outcomes == dict.fromkeys(FOREIGN, (6, "", 1))


async def test_status_prints_the_state_of_the_service(topic: ServedTopic, answers: dict[str, Ended]) -> None:
    table, (facts,) = answers["status"], answers["status --json"].objects
    assert (table.code, answers["status --json"].code) == (0, 0)
    assert re.search(rf"topic\s+{topic.name}\s", table.output)
    assert re.search(r"state\s+LIVE\s", table.output)
    assert re.search(r"\n 0\s+5\s+5\s+0\s", table.output)
    assert (facts["ready"], facts["state"], facts["lag"]) == (True, "LIVE", 0)
    assert facts["entries"] == len(RECORDS)
    (shown,) = facts["tables"]
    assert (shown["name"], shown["topic"]) == (None, topic.name)
    (partition,) = shown["partitions"]
    assert partition.items() >= {"partition": 0, "position": 5, "endOffset": 5, "lag": 0}.items()


async def test_status_of_a_service_that_is_not_ready_exits_with_1(tmp_path: Path) -> None:
    async with serving("127.0.0.1:1", "topic", tmp_path) as served:
        await served.state(State.WAITING_FOR_BROKER)
        found = await ended("status", "--json", "--url", served.run.url)
    (status,) = found.objects
    assert (found.code, status["ready"], status["state"]) == (1, False, "WAITING_FOR_BROKER")


async def test_schema_prints_only_the_schema(answers: dict[str, Ended]) -> None:
    found = answers["schema"]
    assert (found.code, found.output, found.errors) == (0, print_schema(), "")


async def test_help_lists_every_setting_and_every_command(answers: dict[str, Ended]) -> None:
    text = answers["--help"].output
    assert [one.variable for one in settings_table() if not re.search(rf"\b{one.variable}\b", text)] == []
    commands = main.list_commands(click.Context(main))
    assert len(commands) > 5
    assert [name for name in commands if not re.search(rf"^  {name} ", text, re.MULTILINE)] == []


async def test_serve_has_a_flag_for_every_setting(answers: dict[str, Ended]) -> None:
    text = answers["serve --help"].output
    names = [
        one.variable.removeprefix("KVS_").lower() for one in settings_table() if one.name not in {"tables", "grants"}
    ]
    flags = [f"--{name.replace('__', '-').replace('_', '-')}" for name in names]
    assert [flag for flag in flags if not re.search(rf"^  {flag}(?![\w-])", text, re.MULTILINE)] == []


@pytest.mark.parametrize("arguments", [("get", "a"), ("set", "a", "1"), ("status",)])
async def test_commands_that_ask_a_service_start_without_its_libraries(arguments: tuple[str, ...]) -> None:
    """These take a second to import."""
    found = await ended(*arguments, "--url", "http://127.0.0.1:1", PYTHONPROFILEIMPORTTIME="1")
    imported = set(re.findall(r"([\w.]+)$", found.errors, re.MULTILINE))
    assert (found.code, "kvs_graphql.client" in imported) == (6, True)
    assert imported & {"aiokafka", "aiosqlite", "pydantic", "starlette", "strawberry", "uvicorn"} == set()
