"""Values of the demo's tables, as they are in Kafka: JSON, and Avro for the table that has a schema."""

import json
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path

import fastavro
import orjson

from kvs_graphql.demo.figures import Figure

SCHEMAS: Mapping[str, Path] = {"processes": Path(__file__).with_name("process.avsc")}
"""The files with the schemas of tables, by name."""

_PARSED = {table: fastavro.parse_schema(json.loads(path.read_text())) for table, path in SCHEMAS.items()}


def value_of(table: str, figure: Figure) -> bytes:
    """The value of a record."""
    schema = _PARSED.get(table)
    if schema is None:
        return orjson.dumps(figure)
    started = figure["started"]
    stream = BytesIO()
    moment = datetime.fromisoformat(started) if isinstance(started, str) else None
    fastavro.schemaless_writer(stream, schema, {**figure, "started": moment})
    return stream.getvalue()
