"""Schemas in the shape of those that tools make: from Java's classes, from Python's models, from TypeScript's types."""

import orjson

from tests.formats.data import sdl
from tests.formats.json_schema.schemas import codec, shown

FROM_JAVA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Customer",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {"oneOf": [{"type": "null", "title": "Not included"}, {"type": "string"}]},
        "age": {"type": "integer"},
        "tier": {"oneOf": [{"type": "null", "title": "Not included"}, {"type": "string", "enum": ["GOLD", "SILVER"]}]},
        "addresses": {"oneOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#/definitions/Address"}}]},
        "since": {"type": "string", "format": "date-time"},
    },
    "required": ["age"],
    "definitions": {
        "Address": {"type": "object", "additionalProperties": False, "properties": {"city": {"type": "string"}}}
    },
}

FROM_PYTHON = {
    "$defs": {
        "Cat": {
            "properties": {
                "kind": {"const": "cat", "default": "cat", "title": "Kind", "type": "string"},
                "lives": {"type": "integer"},
            },
            "required": ["kind", "lives"],
            "title": "Cat",
            "type": "object",
        },
        "Dog": {
            "properties": {"kind": {"const": "dog", "title": "Kind", "type": "string"}, "name": {"type": "string"}},
            "required": ["kind", "name"],
            "title": "Dog",
            "type": "object",
        },
        "Status": {"enum": ["new", "old"], "title": "Status", "type": "string"},
    },
    "properties": {
        "pet": {
            "discriminator": {"mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"}, "propertyName": "kind"},
            "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
            "title": "Pet",
        },
        "status": {"$ref": "#/$defs/Status", "default": "new"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "title": "Note"},
        "scores": {"additionalProperties": {"type": "number"}, "title": "Scores", "type": "object"},
        "point": {
            "maxItems": 2,
            "minItems": 2,
            "prefixItems": [{"type": "number"}, {"type": "number"}],
            "type": "array",
        },
    },
    "required": ["pet", "scores"],
    "title": "Owner",
    "type": "object",
}

FROM_TYPESCRIPT = {
    "$ref": "#/definitions/Tree",
    "$schema": "http://json-schema.org/draft-07/schema#",
    "definitions": {
        "Tree": {
            "type": "object",
            "properties": {
                "label": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/definitions/Tree"}},
                "size": {"type": ["number", "null"]},
                "any": {},
            },
            "required": ["label", "size"],
            "additionalProperties": False,
        }
    },
}

# After the JSON format of CloudEvents: a few attributes, any others beside them, and data of any JSON.
CLOUD_EVENT = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "id": {"description": "Identifies the event.", "$ref": "#/definitions/iddef"},
        "source": {"$ref": "#/definitions/sourcedef"},
        "specversion": {"type": "string", "minLength": 1},
        "type": {"type": "string"},
        "datacontenttype": {"type": ["string", "null"]},
        "time": {"type": ["string", "null"], "format": "date-time"},
        "data": {"type": ["object", "string", "number", "array", "boolean", "null"]},
        "data_base64": {"type": ["string", "null"], "contentEncoding": "base64"},
    },
    "required": ["id", "source", "specversion", "type"],
    "definitions": {
        "iddef": {"type": "string", "minLength": 1},
        "sourcedef": {"type": "string", "format": "uri-reference", "minLength": 1},
    },
}
CLOUD_EVENT_VALUE = {
    "id": "1",
    "source": "/shop",
    "specversion": "1.0",
    "type": "order.paid",
    "time": "2026-01-31T09:30:00Z",
    "traceparent": "00-1",
    "data": {"order": [1, 2.5]},
}
CUSTOMER = {
    "name": None,
    "age": 5,
    "tier": "GOLD",
    "addresses": [{"city": "Rome"}],
    "since": "2026-01-31T09:30:00Z",
}
OWNER = {"pet": {"kind": "cat", "lives": 9}, "status": "new", "scores": {"a": 1.5}, "point": [1.0, 2]}
TREE = {"label": "a", "size": None, "children": [{"label": "b", "size": 1.5}], "any": {"x": [1]}}


def test_cloud_event() -> None:
    assert sdl(codec(CLOUD_EVENT).shape) == (
        "type Orders { id_: String!, source: String!, specversion: String!, type: String!, datacontenttype: String, "
        "time: DateTime, data: JSON, data_base64: String }"
    )
    assert shown(CLOUD_EVENT, orjson.dumps(CLOUD_EVENT_VALUE)) == {
        "id_": "1",
        "source": "/shop",
        "specversion": "1.0",
        "type": "order.paid",
        "datacontenttype": None,
        "time": "2026-01-31T09:30:00Z",
        "data": {"order": [1, 2.5]},
        "data_base64": None,
    }


def test_schema_from_java() -> None:
    assert sdl(codec(FROM_JAVA).shape).splitlines() == [
        "type Orders { name: String, age: Int64!, tier: OrdersTier, addresses: [OrdersAddress!], since: DateTime }",
        "enum OrdersTier { GOLD SILVER }",
        "type OrdersAddress { city: String }",
    ]
    assert shown(FROM_JAVA, orjson.dumps(CUSTOMER)) == {
        "name": None,
        "age": "5",
        "tier": "GOLD",
        "addresses": [{"city": "Rome"}],
        "since": "2026-01-31T09:30:00Z",
    }


def test_schema_from_python() -> None:
    assert sdl(codec(FROM_PYTHON).shape).splitlines() == [
        (
            "type Orders { pet: OrdersPet!, status: OrdersStatus, note: String, scores: [OrdersScoresEntry!]!, "
            "point: JSON }"
        ),
        "union OrdersPet = OrdersCat | OrdersDog",
        "type OrdersCat { kind: String! =, lives: Int64! }",
        "type OrdersDog { kind: String! =, name: String! }",
        "enum OrdersStatus { new old }",
        "type OrdersScoresEntry { key: String!, value: Float! }",
    ]
    assert shown(FROM_PYTHON, orjson.dumps(OWNER)) == {
        "pet": {"__typename": "OrdersCat", "kind": "cat", "lives": "9"},
        "status": "new",
        "note": None,
        "scores": [{"key": "a", "value": 1.5}],
        "point": [1.0, 2],
    }
    assert codec(FROM_PYTHON).encode({"pet": {"dog": {"name": "Rex"}}, "scores": []}) == (
        b'{"pet":{"kind":"dog","name":"Rex"},"scores":{}}'
    )


def test_schema_from_typescript() -> None:
    assert sdl(codec(FROM_TYPESCRIPT).shape).splitlines() == [
        "type Orders { label: String!, children: [Orders!], size: Float, any: JSON }"
    ]
