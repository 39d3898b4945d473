"""Commands against a service with several tables."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.cli.test_read import command, ended
from tests.deadline import SECONDS_MAX
from tests.serving import Served, serving_tables

pytestmark = pytest.mark.slow

TABLES = ("orders", "customers")


@pytest_asyncio.fixture
async def served(embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path) -> AsyncIterator[Served]:
    """Two live tables that take writes."""
    tables = {table: {"topic": f"{embedded_topic}-{table}", "writes": True} for table in TABLES}
    for table in TABLES:
        embedded_broker.create_topic(f"{embedded_topic}-{table}", 1)
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path) as served:
        async with asyncio.timeout(SECONDS_MAX):
            for table in TABLES:
                await served.state(State.LIVE, table)
        yield served


async def test_commands_use_the_table_that_they_name(served: Served, tmp_path: Path) -> None:
    url = ("--url", served.run.url)
    lines = tmp_path / "lines.ndjson"
    lines.write_text('{"key": "b", "value": "2"}\n{"key": "c", "value": "3"}\n')
    assert (await ended("set", "a", "1", "--table", "orders", *url)).code == 0
    assert (await ended("load", str(lines), "--table", "orders", *url)).output == "2 written, 0 refused\n"
    assert (await ended("delete", "c", "--table", "orders", *url)).code == 0
    await served.applied((4,), "orders")
    found = await ended("get", "a", "b", "c", "--json", "--table", "orders", *url)
    assert [one["value"] for one in found.objects] == ["1", "2", None]
    assert (await ended("get", "a", "--table", "customers", *url)).code == 1
    status = await ended("status", *url)
    assert (status.code, all(table in status.output for table in TABLES)) == (0, True)


@pytest.mark.parametrize("arguments", [("get", "a"), ("watch",)])
async def test_command_without_a_table_names_those_that_there_are(served: Served, arguments: tuple[str, ...]) -> None:
    found = await ended(*arguments, "--url", served.run.url)
    assert (found.code, found.output) == (1, "")
    expected = "The tables of this service have names: add --table with one of customers, orders."
    assert found.errors == f"kvs-graphql: {expected}\n"


async def test_watch_follows_several_tables_and_names_them(served: Served) -> None:
    arguments = [part for table in TABLES for part in ("--table", table)]
    async with command("watch", "--json", *arguments, "--url", served.run.url) as watching:
        assert watching.stdout is not None
        seen = set[tuple[str, str | None]]()
        async with asyncio.timeout(SECONDS_MAX):
            while ("orders", None) not in seen or ("customers", None) not in seen:
                update = orjson.loads(await watching.stdout.readline())
                seen.add((update["table"], update["key"]))
            for table in TABLES:
                await served.data(f'mutation {{ {table}Set(key: "{table}-key", value: "1") {{ offset }} }}')
            while not seen >= {(table, f"{table}-key") for table in TABLES}:
                update = orjson.loads(await watching.stdout.readline())
                seen.add((update["table"], update["key"]))


async def test_lines_of_several_watched_tables_begin_with_their_names(served: Served) -> None:
    arguments = ("--no-snapshot", "--prefix", "a/", *(part for table in TABLES for part in ("--table", table)))
    async with command("watch", *arguments, "--url", served.run.url) as watching, asyncio.timeout(SECONDS_MAX):
        assert watching.stdout is not None
        begun = [(await watching.stdout.readline()).decode().split() for _ in TABLES]
        assert sorted(begun) == [[table, "LIVE"] for table in sorted(TABLES)]
        for table in TABLES:
            for key in ("b/1", "a/1"):
                await served.data(f'mutation {{ {table}Set(key: "{key}", value: "{table}!") {{ offset }} }}')
            table_seen, _, *seen = (await watching.stdout.readline()).decode().split()
            assert (table_seen, seen) == (table, ["SET", "a/1", f"{table}!"])


@pytest.mark.parametrize("table", ["Orders", "a b", "x){y}", ""])
async def test_text_that_is_no_name_of_a_table_is_wrong_usage(table: str) -> None:
    found = await ended("get", "a", "--table", table, "--url", "http://127.0.0.1:1")
    assert (found.code, "is not the name of a table" in found.errors) == (2, True)
