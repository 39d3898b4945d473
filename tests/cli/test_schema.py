"""The command that prints the graph of the configured tables."""

import json
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from tests.cli.test_read import ended
from tests.formats.avro.schemas import logical, record
from tests.ports import free_port

pytestmark = pytest.mark.slow

ORDER = record(("id", "string"), ("placed", logical("int", "date")))
QUERY = '{ ordersValue(key: 42) { keyData data { id_ placed } } customersValue(key: "a") { json } }'
CATALOG = """
[tables.orders]
topic = "shop.orders"
key = "long"
value = "avro"
{source}
writes = true

[tables.customers]
topic = "shop.customers"
"""


def write_catalog(directory: Path, source: str) -> None:
    """Write a catalog whose table `orders` has its schema from there."""
    (directory / "kvs.toml").write_text(CATALOG.format(source=source))


async def test_the_graph_of_tables_with_schemas_in_files_is_printed_without_a_network(tmp_path: Path) -> None:
    (tmp_path / "order.avsc").write_text(json.dumps(ORDER))
    write_catalog(tmp_path, 'schema = "order.avsc"')
    found = await ended("schema", directory=tmp_path)
    assert (found.code, found.errors) == (0, "")
    schema = build_schema(found.output)
    assert validate(schema, parse(QUERY)) == []
    assert (
        validate(schema, parse('mutation { ordersSet(key: 1, data: {id_: "a", placed: "2026-02-28"}) { key } }')) == []
    )


async def test_what_keeps_a_schema_from_being_printed_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "order.avsc").write_text("{")
    write_catalog(tmp_path, 'schema = "order.avsc"')
    found = await ended("schema", directory=tmp_path)
    assert (found.code, found.output, len(found.errors.splitlines())) == (2, "", 1)
    assert "the schema of Orders" in found.errors
    url = f"http://127.0.0.1:{free_port()}"
    write_catalog(tmp_path, "")
    found = await ended("schema", directory=tmp_path, KVS_SCHEMA_REGISTRY__URL=url)
    assert (found.code, found.output, len(found.errors.splitlines())) == (2, "", 1)
    assert "the schema of Orders" in found.errors
