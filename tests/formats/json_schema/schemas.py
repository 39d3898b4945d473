"""Codecs of schemas that are given as Python's values."""

from typing import Any

import orjson

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.json_schema import JsonSchemaCodec, json_schema_codec
from kvs_graphql.formats.limits import FormatLimits
from tests.formats.data import data

LIMITS = FormatLimits()


def text_of(schema: Any, **references: Any) -> SchemaText:
    """A schema; references are by their names without `.json`."""
    texts = tuple((f"{name}.json", text_of(one)) for name, one in references.items())
    return SchemaText("json_schema", orjson.dumps(schema).decode(), texts)


def codec(schema: Any, limits: FormatLimits = LIMITS, **references: Any) -> JsonSchemaCodec:
    return json_schema_codec(text_of(schema, **references), "Orders", frozenset(), limits)


def record(**properties: Any) -> dict[str, Any]:
    """A schema of an object; those whose names end in `_` are required."""
    required = [name[:-1] for name in properties if name.endswith("_")]
    schema = {"type": "object", "properties": {name.removesuffix("_"): one for name, one in properties.items()}}
    return schema | ({"required": required} if required else {})


def shown(schema: Any, text: bytes) -> Any:
    """What `data` shows of a text, through JSON as it is sent."""
    made = codec(schema)
    return orjson.loads(orjson.dumps(data(made.shape, made.decode(text))))
