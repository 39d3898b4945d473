"""Which records of Avro can read which others, for tests that are not about that."""

import json
from typing import Any

from kvs_graphql.formats import SchemaText


def cannot_read(reader: SchemaText, writer: SchemaText) -> str | None:
    """Say which field of a record the writer lacks: those of the reader that have no default."""
    if "unusable" in reader.text:
        return "it cannot be used"
    written = {field["name"] for field in json.loads(writer.text)["fields"]}
    missing = (one["name"] for one in json.loads(reader.text)["fields"] if "default" not in one)
    return next((f"it has no field {name}" for name in missing if name not in written), None)


def record(*fields: str, **defaults: int) -> str:
    """The text of a record with fields that have no default, and with fields that have one."""
    found: list[dict[str, Any]] = [{"name": name, "type": "int"} for name in fields]
    found += [{"name": name, "type": "int", "default": default} for name, default in defaults.items()]
    return json.dumps({"type": "record", "name": "Order", "fields": found})


def avro(*fields: str, **defaults: int) -> SchemaText:
    """The same as a schema."""
    return SchemaText("avro", record(*fields, **defaults))
