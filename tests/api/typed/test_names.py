"""Names of types that two tables would have, or a table and the service."""

import json
from typing import Any

import pytest

from kvs_graphql.api import build_schema
from kvs_graphql.errors import BadSetting
from kvs_graphql.formats import FormatLimits, SchemaFormat, SchemaText, TableFormats, load_codec


def record(**types: Any) -> dict[str, Any]:
    fields = [{"name": name, "type": kind} for name, kind in types.items()]
    return {"type": "record", "name": "Root", "fields": fields}


def formats(name: str, schema: dict[str, Any]) -> TableFormats:
    text = SchemaText("avro", json.dumps(schema))
    root = name[:1].upper() + name[1:]
    return TableFormats(SchemaFormat(load_codec(text, root, frozenset(), FormatLimits()), text))


LINE = {"type": "record", "name": "Line", "fields": [{"name": "n", "type": "int"}]}
KIND = {"type": "enum", "name": "Line", "symbols": ["A"]}


@pytest.mark.parametrize(
    ("tables", "name"),
    [
        pytest.param({"orders": record(line=LINE), "ordersLine": record(a="int")}, "OrdersLine", id="record"),
        pytest.param({"ordersLine": record(a="int"), "orders": record(line=KIND)}, "OrdersLine", id="enumeration"),
        pytest.param(
            {"orders": record(pay=["int", "string"]), "ordersPayChoice": record(a="int")}, "OrdersPayChoice", id="union"
        ),
        pytest.param({"orders": record(a="int"), "ordersEntry": record(a="int")}, "OrdersEntry", id="a table's own"),
        pytest.param({"partition": record(a={**LINE, "name": "Status"})}, "PartitionStatus", id="the service's"),
        pytest.param({"int64": record(a="long")}, "Int64", id="a scalar"),
    ],
)
def test_types_of_one_name_are_refused_with_the_name(tables: dict[str, dict[str, Any]], name: str) -> None:
    with pytest.raises(BadSetting, match=rf"^tables: the type {name} of table '.*' is also one of .*: give a table"):
        build_schema(dict.fromkeys(tables, True), {table: formats(table, one) for table, one in tables.items()})
