"""Files of tables outlive changes of the catalog, and the way from a single topic to one."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from time import time

from structlog.testing import capture_logs

from kvs_graphql.cursor import decode_cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.serving import Served, serving_tables, serving_topic, write

RECORDS = [(b"a", b"1"), (b"b", b"1"), (b"b", None), (b"a", b"2")]
FILE = Path(__file__).with_name("single-topic.db.gz")
"""The database of a service of one topic with those records, written by the last commit that knew no catalogs."""


def place_file(topic: str, topic_id: bytes, path: Path) -> None:
    """Put the file there, as if it had been written from that topic just now."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.decompress(FILE.read_bytes()))
    with closing(sqlite3.connect(path)) as database:
        source = (topic, topic_id, int(time() * 1000))
        database.execute("UPDATE source SET topic = ?, topic_id = ?, caught_up_at = ?", source)
        database.commit()


async def topic_id_of(broker: EmbeddedBroker, topic: str, directory: Path) -> bytes:
    """The id of a topic, as a service knows it."""
    directory.mkdir()
    async with serving_topic(broker, directory, topic=topic) as asked:
        return asked.at_end.topic_id


async def test_database_of_a_single_topic_is_taken_over_without_reading_the_topic_anew(
    embedded_broker: EmbeddedBroker, embedded_topic: str, table: str, tmp_path: Path
) -> None:
    servers, topic = embedded_broker.bootstrap_servers, f"{embedded_topic}-one"
    embedded_broker.create_topic(topic)
    await write(servers, topic, RECORDS)
    topic_id = await topic_id_of(embedded_broker, topic, tmp_path / "asked")
    place_file(topic, topic_id, tmp_path / "tables" / "orders.db" if table else tmp_path / "kvs.db")
    async with serving_topic(embedded_broker, tmp_path, (b"c", b"3"), topic=topic, table=table) as moved:
        answer = await moved.served.query("{ entries(first: 5) { edges { node { key history { value } } } } }")
        assert [edge["node"] for edge in answer["data"]["entries"]["edges"]] == [
            {"key": "a", "history": [{"value": "1"}, {"value": "2"}]},
            {"key": "c", "history": [{"value": "3"}]},
        ]
        assert decode_cursor(answer["extensions"]["cursor"], table).positions == (5,)
        applied = [line for line in await metrics_of(moved.served) if line.startswith("kvs_records_applied_total")]
        assert f'kvs_records_applied_total{{table="{table}"}} 1.0' in applied


async def metrics_of(served: Served) -> list[str]:
    """The lines of the metrics."""
    return (await served.http.get("/metrics")).text.splitlines()


async def test_files_of_removed_tables_are_kept_and_named_and_are_used_again(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    tables = {name: {"topic": f"{embedded_topic}-{name}"} for name in ("orders", "orderItems")}
    for table in tables.values():
        embedded_broker.create_topic(table["topic"])
    positions = await write(servers, tables["orderItems"]["topic"], RECORDS)
    async with serving_tables(servers, tables, tmp_path) as served:
        await served.applied(positions, "orderItems")
        await served.state(State.LIVE, "orderItems")
    with capture_logs() as logged:
        async with serving_tables(servers, {"orders": tables["orders"]}, tmp_path):
            pass
    (line,) = [line for line in logged if "are kept" in line["event"]]
    assert line["files"] == ["orderItems.db"]
    assert sorted(path.name for path in (tmp_path / "tables").glob("*.db")) == ["orderItems.db", "orders.db"]
    async with serving_tables(servers, tables, tmp_path) as served:
        await served.state(State.LIVE, "orderItems")
        found = await served.data('{ orderItemsValue(key: "a") { value } }')
        assert found == {"orderItemsValue": {"value": "2"}}
        assert 'kvs_records_applied_total{table="orderItems"} 0.0' in await metrics_of(served)
