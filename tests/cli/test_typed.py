"""The commands on a table with typed keys and values: what they print is what they take."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from struct import pack
from typing import Any

import orjson
import pytest

from kvs_graphql.cli import read, write
from kvs_graphql.cli.load import load
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.errors import KvsError
from kvs_graphql.state import State
from tests.cli.test_read import command, line_of
from tests.deadline import SECONDS_MAX
from tests.formats.avro.schemas import logical, record, written
from tests.serving import Served, produce, serving_tables

pytestmark = pytest.mark.slow

CARD = record(("holder", "string"), name="com.shop.Card")
ORDER = record(
    ("id", "string"),
    ("amount", "long"),
    ("price", {**logical("bytes", "decimal"), "precision": 20, "scale": 2}),
    ("placed", logical("int", "date")),
    ("colour", {"type": "enum", "name": "com.shop.Colour", "symbols": ["RED", "GREEN"]}),
    ("tags", {"type": "map", "values": "long"}),
    ("payment", ["null", CARD, "string", "long"]),
    {"name": "replaces", "type": ["null", "com.shop.Order"], "default": None},
)
PLACE = record(("region", "string"), ("number", "long"), name="com.shop.Place")
DATA = {
    "id_": "o-1",
    "amount": "9007199254740993",
    "price": "12.50",
    "placed": "2026-02-28",
    "colour": "RED",
    "tags": [{"key": "vip", "value": "1"}],
    "payment": {"card": {"holder": "Ann"}},
    "replaces": None,
}
JSON = {
    "id": "o-1",
    "amount": 9007199254740993,
    "price": "12.50",
    "placed": "2026-02-28",
    "colour": "RED",
    "tags": {"vip": 1},
    "payment": {"holder": "Ann"},
    "replaces": None,
}


@dataclass(frozen=True)
class Output:
    """A command's exit code and what it printed."""

    code: int
    text: str
    errors: str

    @property
    def objects(self) -> list[Any]:
        return [orjson.loads(line) for line in self.text.splitlines() if line.startswith("{")]

    def line(self, start: str) -> str:
        """The only line that begins with that."""
        (line,) = (line.strip() for line in self.text.splitlines() if line.strip().startswith(start))
        return line


class Shop:
    """A service with the tables `orders` (keys: long) and `places` (keys: a record), and commands that call it.

    They run in this process, since each process of its own takes long to start.
    """

    def __init__(self, served: Served, servers: str, topic: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.served = served
        self.servers = servers
        self.topic = topic
        self.url = served.run.url
        self._capsys = capsys

    async def output(self, command: Coroutine[Any, Any, int | None]) -> Output:
        """What a command prints, among what the service logs."""
        self._capsys.readouterr()
        code = await command
        return Output(code or 0, *self._capsys.readouterr())

    async def get(self, *keys: str, table: str = "orders") -> list[Any]:
        return (await self.output(read.get(self.url, keys, table, as_json=True))).objects

    async def set(self, key: str, value: str, table: str = "orders") -> Any:
        """Set a value, and wait until the table has it."""
        return await self._applied(write.set_value(self.url, key, value, table, as_json=True), table)

    async def delete(self, key: str, table: str = "orders") -> Any:
        return await self._applied(write.delete(self.url, key, table, as_json=True), table)

    async def load(self, path: Path, *lines: Any) -> Output:
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        output = await self.output(load(self.url, str(path), None, "orders"))
        await self.delete("-1")
        return output

    async def _applied(self, command: Coroutine[Any, Any, int | None], table: str) -> Any:
        (written_,) = (await self.output(command)).objects
        await self.served.data(f'{{ {table}Entries(first: 1, atLeast: "{written_["cursor"]}") {{ totalCount }} }}')
        return written_


@pytest.fixture
async def shop(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Shop]:
    order, place = tmp_path / "order.avsc", tmp_path / "place.avsc"
    order.write_text(json.dumps(ORDER))
    place.write_text(json.dumps(PLACE))
    places = f"{embedded_topic}-places"
    embedded_broker.create_topic(places)
    tables = {
        "orders": {"topic": embedded_topic, "key": "long", "value": "avro", "schema": order, "writes": True},
        "places": {"topic": places, "key": "avro", "key_schema": place, "writes": True},
    }
    async with serving_tables(embedded_broker.bootstrap_servers, tables, tmp_path) as served:
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE, "orders")
            await served.state(State.LIVE, "places")
        yield Shop(served, embedded_broker.bootstrap_servers, embedded_topic, capsys)


async def test_a_typed_value_is_set_shown_and_deleted_under_a_typed_key(shop: Shop) -> None:
    assert (await shop.set("42", json.dumps(DATA)))["key"] == "42"
    (entry,) = await shop.get("42")
    assert (entry["key"], entry["data"], entry["json"]) == ("42", DATA, JSON)
    shown = await shop.output(read.get(shop.url, ("42",), "orders", as_json=False))
    assert shown.line("42").split()[1] == orjson.dumps(JSON).decode()
    await shop.delete("42")
    gone = await shop.output(read.get(shop.url, ("42",), "orders", as_json=True))
    assert (gone.code, gone.objects) == (1, [{"key": "42", "data": None}])


async def test_what_get_prints_is_what_load_takes(shop: Shop, tmp_path: Path) -> None:
    payments = [None, {"card": {"holder": "Ann"}}, {"string": "gift"}, {"long": str(2**60)}]
    values = [{**DATA, "payment": one, "replaces": {**DATA, "payment": one}} for one in payments]
    loaded = await shop.load(tmp_path / "a", *({"key": number, "data": one} for number, one in enumerate(values)))
    assert (loaded.code, loaded.errors) == (0, "")
    shown = await shop.get("0", "1", "2", "3")
    assert [one["data"] for one in shown] == values
    again = await shop.load(tmp_path / "b", *({"key": one["key"], "data": one["data"]} for one in shown))
    assert (again.code, again.line("4 written, 0 refused")) == (0, "4 written, 0 refused")


async def test_lines_that_do_not_fit_are_refused_one_by_one(shop: Shop, tmp_path: Path) -> None:
    good = {"key": "1", "data": DATA}
    lines = [
        good,
        {"key": "x", "data": DATA},
        {"key": 2, "data": {**DATA, "price": "1.005"}},
        {"key": 3, "value": "text"},
        {"key": 4, "data": None},
        {"key": 5, "data": {"id_": "only"}},
        good,
    ]
    loaded = await shop.load(tmp_path / "lines", *lines)
    refused = dict(line.removeprefix("line ").split(": ", 1) for line in loaded.errors.splitlines())
    assert (loaded.code, sorted(refused)) == (1, ["2", "3", "4", "6"])
    assert "data.price" in refused["3"]
    assert refused["4"] == 'not of the form {"key": ..., "data": ...}'
    assert loaded.line("3 written")


async def test_csv_has_keys_and_values_as_a_command_line(shop: Shop, tmp_path: Path) -> None:
    file, quoted = tmp_path / "file.csv", json.dumps(DATA).replace('"', '""')
    file.write_text(f'key,data\n7,"{quoted}"\n8,nothing\n')
    loaded = await shop.output(load(shop.url, str(file), None, "orders"))
    assert loaded.code == 1
    assert loaded.errors == "line 3: The values of this table are typed: not JSON, which OrdersInput takes: nothing.\n"
    assert loaded.line("1 written, 1 refused")


async def test_keys_that_are_records_are_json_on_the_command_line(shop: Shop) -> None:
    key = '{"region": "eu", "number": "7"}'
    await shop.set(key, "text", "places")
    (entry,) = await shop.get(key, table="places")
    assert (entry["key"], entry["value"]) == ({"region": "eu", "number": "7"}, "text")
    shown = await shop.output(read.get(shop.url, (key,), "places", as_json=False))
    assert shown.line('{"region":"eu","number":"7"}')
    assert (await shop.delete(key, "places"))["key"] == entry["key"]


@pytest.mark.parametrize(
    "command",
    [
        lambda url: read.get(url, ("x",), "orders", as_json=False),
        lambda url: write.set_value(url, "1", "{}", "orders", as_json=False),
        lambda url: write.set_value(url, "1", "text", "orders", as_json=False),
        lambda url: write.delete(url, "x", "orders", as_json=False),
        lambda url: read.watch(url, ("x",), None, ("orders",), snapshot=True, as_json=False),
        lambda url: read.watch(url, (), "1", ("orders",), snapshot=True, as_json=False),
    ],
    ids=["get", "set without fields", "set text", "delete", "watch", "watch a prefix"],
)
async def test_what_is_no_key_or_value_of_the_table_is_told(
    shop: Shop, command: Callable[[str], Coroutine[Any, Any, Any]]
) -> None:
    with pytest.raises(KvsError) as raised:
        await command(shop.url)
    assert "\n" not in str(raised.value)


async def test_watch_shows_typed_keys_and_values_and_goes_on_after_one_that_cannot_be_decoded(shop: Shop) -> None:
    odd_value = written(ORDER, {**JSON, "price": Decimal("12.50"), "placed": date(2026, 2, 28), "payment": "gift"})
    await shop.served.applied(
        await produce(shop.servers, shop.topic, (pack(">q", 1), b"\xff"), (b"odd", odd_value)), "orders"
    )
    await shop.set("2", json.dumps(DATA))
    async with command("watch", "--table", "orders", "--url", shop.url, "--json") as process:
        updates: dict[int, Any] = {}
        while len(updates) < 3:
            update = orjson.loads((await line_of(process.stdout, "{.*}"))[0])
            updates[update["offset"]] = update
    undecodable, odd, good = (updates[offset] for offset in sorted(updates))
    assert (undecodable["key"], undecodable["entry"]["data"]) == ("1", None)
    assert b64decode(undecodable["entry"]["valueBase64"]) == b"\xff"
    assert undecodable["entry"]["undecodable"]
    assert (odd["key"], b64decode(odd["keyBase64"]), odd["entry"]["data"]["payment"]) == (
        None,
        b"odd",
        {"string": "gift"},
    )
    assert (good["key"], good["entry"]["data"]) == ("2", DATA)
    async with command("watch", "1", "2", "--table", "orders", "--url", shop.url) as process:
        await line_of(process.stdout, "SNAPSHOT +1 not decodable: ")
        await line_of(process.stdout, 'SNAPSHOT +2 {"id":"o-1"')


async def test_a_value_nested_deeper_than_it_is_selected_is_shown_as_json_alone(shop: Shop, tmp_path: Path) -> None:
    nested: Any = DATA
    for _ in range(12):
        nested = {**DATA, "replaces": nested}
    assert (await shop.load(tmp_path / "lines", {"key": 1, "data": nested})).code == 0
    (entry,) = await shop.get("1")
    assert entry["data"] is None
    innermost = entry["json"]
    for _ in range(12):
        innermost = innermost["replaces"]
    assert innermost == JSON


async def test_rows_in_json_envelopes_are_shown_and_written_as_text(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    servers, row = embedded_broker.bootstrap_servers, {"name": "Ann", "total": 9007199254740993}
    tables = {"rows": {"topic": embedded_topic, "value": "json", "envelope": "debezium", "writes": True}}
    async with serving_tables(servers, tables, tmp_path) as served:
        await served.state(State.LIVE, "rows")
        shop = Shop(served, servers, embedded_topic, capsys)
        lines = tmp_path / "rows.ndjson"
        for envelope in ({"op": "c", "after": {}}, {"op": "u", "after": row}):
            await shop.set("set", orjson.dumps(envelope).decode(), "rows")
            lines.write_bytes(orjson.dumps({"key": "loaded", "value": envelope}) + b"\n")
            assert (await shop.output(load(shop.url, str(lines), None, "rows"))).code == 0
        (one,) = await shop.get("set", table="rows")
        assert (one["data"], one["json"]) == (row, row)
        found: list[Any] = []
        while [one["data"] for one in found] != [row]:
            found = await shop.get("loaded", table="rows")
