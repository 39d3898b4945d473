"""Which versions of a schema have the shape that another one has."""

from typing import Any

import pytest

from kvs_graphql.formats.json_schema.documents import Documents
from kvs_graphql.formats.json_schema.evolution import cannot_read
from kvs_graphql.formats.json_schema.model import Use
from kvs_graphql.formats.json_schema.modelling import Modeller
from tests.formats.json_schema.schemas import LIMITS, record, text_of

STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
INT = {"type": "integer", "minimum": 0, "maximum": 5}


def _model(schema: Any) -> Use:
    return Modeller(Documents(text_of(schema), LIMITS), "Orders", LIMITS).root


def _card(word: str, **more: Any) -> dict[str, Any]:
    return record(type_={"const": word}, **more)


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        (record(a=STRING, b=STRING), record(a_=STRING)),
        (record(a=STRING), record(a=STRING, b_=STRING)),
        (record(a=INTEGER), record(a=INT)),
        (record(a=NUMBER), record(a=INTEGER)),
        (record(a=STRING), record(a={"type": "string", "format": "date"})),
        (record(a=STRING), record(a={"enum": ["x"]})),
        (record(a={"enum": ["x", "y"]}), record(a={"enum": ["x"]})),
        (record(a={}), record(a=record(b=STRING))),
        (record(a={"$ref": "#"}), record(a={"$ref": "#"})),
        (record(a={"type": "array", "items": NUMBER}), record(a={"type": "array", "items": INT})),
        ({"oneOf": [_card("a"), _card("b"), _card("c")]}, {"oneOf": [_card("b"), _card("a")]}),
        ({"type": "object", "additionalProperties": NUMBER}, {"type": "object", "additionalProperties": INTEGER}),
    ],
)
def test_readable(reader: Any, writer: Any) -> None:
    assert cannot_read(_model(reader), _model(writer)) is None


@pytest.mark.parametrize(
    ("reader", "writer", "reason"),
    [
        (record(a_=STRING), record(b=STRING), "a is required, but was not always"),
        (record(a_=STRING), record(a=STRING), "a was not always there, or could be null"),
        (record(a_=STRING), record(a_={"type": ["string", "null"]}), "a was not always there, or could be null"),
        (record(a=INT), record(a=INTEGER), "a was of another type before"),
        (record(a=INTEGER), record(a=NUMBER), "a was of another type before"),
        (record(a=STRING), record(a=INTEGER), "a was of another type before"),
        (record(a=STRING), record(a={}), "a was of another type before"),
        (record(a={"type": "string", "format": "date"}), record(a=STRING), "a was of another type before"),
        (record(a={"enum": ["x"]}), record(a={"enum": ["x", "y"]}), "a could be y before"),
        (record(a={"enum": ["x"]}), record(a=STRING), "a was of another type before"),
        (record(a={"type": "array", "items": STRING}), record(a=STRING), "a was of another type before"),
        (
            record(a={"type": "array", "items": STRING}),
            record(a={"type": "array", "items": {"type": ["string", "null"]}}),
            "an item of a was not always there, or could be null",
        ),
        (
            {"type": "object", "additionalProperties": INT},
            {"type": "object", "additionalProperties": STRING},
            "a value of the value was of another type before",
        ),
        ({"oneOf": [_card("a"), _card("b")]}, {"oneOf": [_card("a"), _card("c")]}, "the value could be c before"),
        (
            {"oneOf": [_card("a", n_=STRING), _card("b")]},
            {"oneOf": [_card("a"), _card("b")]},
            "n is required, but was not always",
        ),
        (
            {"oneOf": [_card("a"), _card("b")]},
            {"oneOf": [record(k_={"const": "a"}), record(k_={"const": "b"})]},
            "the value was told apart by k before",
        ),
    ],
)
def test_not_readable(reader: Any, writer: Any, reason: str) -> None:
    assert cannot_read(_model(reader), _model(writer)) == reason
