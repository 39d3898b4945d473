"""What `check` finds of tables that would keep the service from its start, or from being ready."""

import asyncio
import os
import re
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.errors import OperatorError
from kvs_graphql.preflight import Finding, check_tables
from kvs_graphql.runtime import check_graph
from kvs_graphql.settings import Settings, load_settings
from kvs_graphql.state import State
from tests.cli.test_read import ended
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.preflight.test_configuration import configured
from tests.serving import serving_tables

pytestmark = pytest.mark.slow

# Root may read and write anywhere, unless that is taken from it.
_POWERS = "-dac_override,-dac_read_search"
AS_OTHERS = ("setpriv", f"--bounding-set={_POWERS}", f"--inh-caps={_POWERS}") if os.getuid() == 0 else ()
LINE: dict[str, Any] = {"type": "record", "name": "Line", "fields": [{"name": "n", "type": "int"}]}


async def findings_of(settings: Settings) -> list[Finding]:
    return await check_tables(settings, partial(check_graph, settings))


async def found(broker: str, tables: dict[str, str], database: Path) -> dict[str, list[Finding]]:
    """What is found about tables of these topics, by their names."""
    catalog = {name: {"topic": topic} for name, topic in tables.items()}
    findings = await findings_of(load_settings(bootstrap_servers=broker, tables=catalog, database=database))
    return {name: [one for one in findings if one.table == name] for name in tables}


async def until_stopped(broker: str, tables: dict[str, str], directory: Path) -> None:
    """Start a service of these tables; return once it cannot go on. Raises: OperatorError: Why it cannot."""
    catalog = {name: {"topic": topic} for name, topic in tables.items()}
    async with serving_tables(broker, catalog, directory) as served, asyncio.timeout(SECONDS_MAX):
        await served.run.wait()


async def test_each_file_that_the_start_would_refuse_is_a_problem(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers, faults = embedded_broker.bootstrap_servers, ("link", "folder", "newer", "foreign")
    async with serving_tables(servers, {"sound": {"topic": embedded_topic}}, tmp_path) as served:
        await served.state(State.LIVE, "sound")
        # Also while a service has the file open.
        sound = (await found(servers, {"sound": embedded_topic}, tmp_path / "tables"))["sound"]
        assert [one.is_problem for one in sound] == [False] * len(sound)
    directory = tmp_path / "tables"
    (directory / "link.db").symlink_to(directory / "sound.db")
    for name in ("newer", "foreign"):
        (directory / f"{name}.db").write_bytes((directory / "sound.db").read_bytes())
    with closing(sqlite3.connect(directory / "newer.db")) as newer:
        newer.execute("PRAGMA user_version = 99")
    (directory / "damaged.db").write_bytes(b"no database" * 1_000)
    (directory / "folder.db").mkdir()
    before = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    topics = dict.fromkeys(("sound", "damaged", "link", "folder", "newer"), embedded_topic)
    other = f"{embedded_topic}-other"
    embedded_broker.create_topic(other)
    checked = await found(servers, {**topics, "foreign": other}, directory)
    assert {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()} == before
    wrong = {name: [one.text for one in findings if one.is_problem] for name, findings in checked.items()}
    assert {name: len(texts) for name, texts in wrong.items()} == {"sound": 0, "damaged": 0} | dict.fromkeys(faults, 1)
    assert "is a symbolic link" in wrong["link"][0]
    assert "is not a file" in wrong["folder"][0]
    assert "schema version 99" in wrong["newer"][0]
    assert wrong["foreign"] == [f"{directory}/foreign.db holds topic {embedded_topic!r}"]
    assert any("is damaged" in one.text and "moved aside" in one.remedy for one in checked["damaged"])
    # The start refuses these files, and only these.
    for name in faults:
        with pytest.raises(OperatorError):
            await until_stopped(servers, {name: other if name == "foreign" else embedded_topic}, tmp_path)


@pytest.mark.parametrize("table", ["", "orders"])
async def test_directory_that_the_start_would_not_make_is_a_problem(
    embedded_broker: EmbeddedBroker, embedded_topic: str, table: str, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"tables": {table: {"topic": embedded_topic}}} if table else {"topic": embedded_topic}
    servers = embedded_broker.bootstrap_servers
    for path, is_problem in ((tmp_path / "kvs", False), (tmp_path / "missing" / "directory" / "kvs", True)):
        findings = await findings_of(load_settings(bootstrap_servers=servers, database=path, **settings))
        assert [one.text for one in findings if one.is_problem] == (
            [f"{path / 'orders.db' if table else path}: there is no directory {path.parent}"] if is_problem else []
        )


@pytest.mark.parametrize(
    ("what", "mode", "text"),
    [
        (".", 0, r"/data/tables/orders\.db cannot be looked at: Permission denied"),
        ("tables", 0o500, r"/orders\.db: \S+/tables cannot be written"),
        ("tables", 0, r"/orders\.db cannot be opened: Permission denied"),
        ("tables/orders.db", 0o400, r"/orders\.db cannot be written"),
    ],
)
async def test_what_may_not_be_used_is_a_problem_and_the_start_is_refused(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, what: str, mode: int, text: str
) -> None:
    data, servers = tmp_path / "data", embedded_broker.bootstrap_servers
    data.mkdir()
    path, file = data / what, configured(tmp_path, servers, orders=f'topic = "{embedded_topic}"')
    settings: dict[str, Any] = {"KVS_CONFIG": str(file), "KVS_DATABASE": str(data / "tables"), "COLUMNS": "400"}
    if what != ".":
        async with serving_tables(servers, {"orders": {"topic": embedded_topic}}, data) as served:
            await served.state(State.LIVE, "orders")
    if what == "tables":
        for one in path.iterdir():
            one.unlink()
    sound = path.stat().st_mode
    path.chmod(mode)
    checked = await ended("check", through=AS_OTHERS, **settings)
    assert checked.code == 1, checked.errors
    assert re.search(rf"orders +problem +\S+{text}", checked.output), checked.output
    started = await ended("serve", "--port", "0", through=AS_OTHERS, **settings)
    assert (started.code, started.errors.count("\n")) == (3, 1)
    assert str(data / "tables") in started.errors
    # SQLite gives its log the mode of the database.
    path.chmod(sound)
    for one in (*data.glob("tables/*-wal"), *data.glob("tables/*-shm")):
        one.chmod(sound)
    checked = await ended("check", through=AS_OTHERS, **settings)
    assert checked.code == 0, checked.output


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("link", "is a symbolic link: set KVS_DATABASE to the directory itself."),
        ("file", "is a file: set KVS_DATABASE to a directory, with a file for each table."),
    ],
)
async def test_directory_that_is_something_else_is_a_problem_and_the_start_is_refused(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, kind: str, text: str
) -> None:
    directory = tmp_path / "tables"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        directory.symlink_to(tmp_path / "elsewhere")
    else:
        directory.touch()
    servers = embedded_broker.bootstrap_servers
    checked = await found(servers, {"orders": embedded_topic}, directory)
    assert [one.text for one in checked["orders"] if one.is_problem] == [f"{directory} {text}"]
    with pytest.raises(OperatorError, match=re.escape(f"{directory} {text}")):
        await until_stopped(servers, {"orders": embedded_topic}, tmp_path)


async def test_types_of_one_name_and_an_open_address_are_found_as_the_start_would(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    for name, kind in (("orders", LINE), ("ordersLine", "int")):
        record = {"type": "record", "name": "Any", "fields": [{"name": "line", "type": kind}]}
        (tmp_path / f"{name}.avsc").write_bytes(orjson.dumps(record))
    tables = {
        name: f'topic = "{embedded_topic}"\nvalue = "avro"\nschema = "{tmp_path}/{name}.avsc"'
        for name in ("orders", "ordersLine")
    }
    file = configured(tmp_path, embedded_broker.bootstrap_servers, **tables)
    checked = await ended("check", KVS_CONFIG=str(file))
    assert checked.code == 1
    (line,) = [line for line in checked.output.splitlines() if "problem" in line]
    assert "the type OrdersLine of table 'ordersLine' is also one of table 'orders'" in line
    assert line.rstrip().endswith("give a table another name")
    exposed = await ended("check", "--host", "192.0.2.1", KVS_CONFIG=str(file))
    assert (exposed.code, exposed.output) == (2, "")
    assert exposed.errors.startswith("kvs-graphql: KVS_HOST=192.0.2.1: others could read everything.")


@pytest.mark.kafka
async def test_check_on_kafka_tells_how_long_records_and_tombstones_are_kept(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    policies = {
        "compacted": {"cleanup_policy": "compact"},
        "brief": {"cleanup_policy": "compact", "delete_retention_ms": "1500"},
        "both": {"cleanup_policy": "compact,delete", "retention_ms": "7200000"},
        "dropped": {"cleanup_policy": "delete", "retention_ms": "259200000"},
    }
    topics = {name: f"{topic}-{name}" for name in policies}
    for name, configuration in policies.items():
        await asyncio.to_thread(kafka_broker.create_topic, topics[name], 1, **configuration)
    checked = await found(kafka_broker.bootstrap_servers, topics, tmp_path / "tables")
    said = {name: [(one.text.partition("' ")[2], one.remedy) for one in checked[name][1:]] for name in topics}
    rebuilt = "after a longer outage, the table is rebuilt"
    compact = "set cleanup.policy=compact"
    assert said == {
        "compacted": [(f"is compacted, and keeps tombstones for 1 day: {rebuilt}", "")],
        "brief": [(f"is compacted, and keeps tombstones for 1,500 ms: {rebuilt}", "raise delete.retention.ms")],
        "both": [
            ("is compacted, but Kafka also drops records after 2 hours: their keys stay in the table", compact),
            (f"is compacted, and keeps tombstones for 1 day: {rebuilt}", ""),
        ],
        "dropped": [
            ("is not compacted: keys stay in the table when Kafka drops their records after 3 days", compact),
        ],
    }
    assert not any(one.is_problem for findings in checked.values() for one in findings)
