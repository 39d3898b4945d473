"""Inputs as JSON that the whole schema allows, and inputs that it does not."""

from typing import Any
from uuid import UUID

import pytest

from kvs_graphql.formats.errors import DoesNotFit
from tests.formats.data import data
from tests.formats.json_schema.schemas import codec, record

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
CARD = record(type_={"const": "card"}, n_=STRING)
BANK = record(type_={"const": "bank"}, iban_={"type": "string", "minLength": 3})


def _misfit(schema: Any, value: Any) -> str:
    with pytest.raises(DoesNotFit) as refused:
        codec(schema).encode(value)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_inputs_are_written_by_the_names_of_the_schema() -> None:
    schema = record(
        id_=INTEGER,
        order_no={"type": "string"},
        status={"enum": ["in progress", None]},
        lines={"type": "array", "items": record(n=INTEGER)},
        labels={"type": "object", "additionalProperties": {"type": ["integer", "null"]}},
        key={"type": "string", "format": "uuid"},
        at={"type": "string", "format": "date-time"},
        more={},
        payment={"oneOf": [CARD, BANK]},
    )
    value = {
        "id_": 2**63 - 1,
        "order_no": "x",
        "status": "in_progress",
        "lines": [{"n": 1}, {}],
        "labels": [{"key": "b", "value": 1}, {"key": "a", "value": None}],
        "key": UUID("123e4567-e89b-12d3-a456-426614174000"),
        "at": "2026-01-31T23:59:59Z",
        "more": {"any": [1.5, None]},
        "payment": {"bank": {"iban": "DE0"}},
    }
    text = codec(schema).encode(value)
    assert text == (
        b'{"id":9223372036854775807,"order_no":"x","status":"in progress","lines":[{"n":1},{}],'
        b'"labels":{"b":1,"a":null},"key":"123e4567-e89b-12d3-a456-426614174000","at":"2026-01-31T23:59:59Z","more":{"any":[1.5,null]},'
        b'"payment":{"type":"bank","iban":"DE0"}}'
    )


def test_what_is_null_is_left_out_where_the_schema_does_not_allow_null() -> None:
    schema = record(a=STRING, b={"type": ["string", "null"]}, c_={"type": ["string", "null"]})
    made = codec(schema)
    assert made.encode({}) == b'{"c":null}'
    assert made.encode({"a": None, "b": None, "c": None}) == b'{"b":null,"c":null}'


def test_constants_need_not_be_given() -> None:
    made = codec(record(type_={"const": "order"}, n=INTEGER))
    assert made.encode({"n": 1}) == b'{"type":"order","n":1}'
    assert data(made.shape, made.decode(made.encode({}))) == {"type": "order", "n": None}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "array", "items": INTEGER}, [1, 2], b"[1,2]"),
        ({"type": "object", "additionalProperties": STRING}, [{"key": "a", "value": "x"}], b'{"a":"x"}'),
        (INTEGER, 5, b"5"),
        ({"oneOf": [CARD, BANK]}, {"card": {"n": "1"}}, b'{"type":"card","n":"1"}'),
        ({}, {"a": 10**30}, b'{"a":1000000000000000000000000000000}'),
    ],
)
def test_root_may_be_of_any_type(schema: Any, value: Any, expected: bytes) -> None:
    assert codec(schema).encode(value) == expected


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        (record(id=INTEGER | {"minimum": 5}), {"id_": 3}, "id_: 3 is less than the minimum of 5"),
        (record(a=STRING | {"pattern": "^x+$"}), {"a": "y"}, 'a: "y" does not match "^x+$"'),
        (record(a=STRING | {"pattern": "^(?=x).$"}), {"a": "y"}, 'a: "y" does not match "^(?=x).$"'),
        (
            record(a={"type": "string", "format": "date-time"}),
            {"a": "yesterday"},
            'a: "yesterday" is not a "date-time"',
        ),
        (record(a_=STRING), {}, '"a" is a required property'),
        (record(a=record(b_=STRING)), {"a": {}}, 'a: "b" is a required property'),
        (
            record(lines={"type": "array", "items": record(id=STRING | {"maxLength": 1})}),
            {"lines": [{}, {"id_": "xy"}]},
            'lines[1].id_: "xy" is longer than 1 character',
        ),
        (
            record(m={"type": "object", "additionalProperties": INTEGER | {"minimum": 1}}),
            {"m": [{"key": "a", "value": 1}, {"key": "b", "value": 0}]},
            "m[1].value: 0 is less than the minimum of 1",
        ),
        (
            record(m={"type": "object", "additionalProperties": STRING}),
            {"m": [{"key": "a"}, {"key": "a"}]},
            "m[1].key: is there twice",
        ),
        (record(s={"enum": ["a"]}), {"s": "b"}, "s: must be one of the enumeration's values, not 'b'"),
        (record(js={"type": "object", "required": ["x"]}), {"js": {"y": 1}}, 'js: "x" is a required property'),
        (
            record(js={"properties": {}, "additionalProperties": False}),
            {"js": {"y": 1}},
            "js: Additional properties are not allowed",
        ),
        (record(a=STRING), {"gone": 1}, "gone: is not in the schema"),
        (record(a=STRING), 5, "must be an object"),
        (record(a={"type": "array", "items": STRING}), {"a": 5}, "a: must be a list"),
        (record(p={"oneOf": [CARD, BANK]}), {"p": {}}, "p: must have exactly one of card, bank"),
        (record(p={"oneOf": [CARD, BANK]}), {"p": {"bank": {"iban": "D"}}}, "p.bank.iban: "),
        (record(a={"type": "number"}), {"a": float("nan")}, "a: "),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(schema: Any, value: Any, reason: str) -> None:
    assert _misfit(schema, value).startswith(reason)


def test_hostile_pattern_takes_bounded_time() -> None:
    linear, looking_around = record(a=STRING | {"pattern": "^(a+)+$"}), record(a=STRING | {"pattern": "^(?!x)(a+)+$"})
    for schema in (linear, looking_around):
        assert _misfit(schema, {"a": "a" * 50 + "b"})


def test_reason_is_found_in_bounded_time_where_alternatives_multiply() -> None:
    """The library itself would take hours to explain a value of this depth."""
    schema = record(
        a={"anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}, {"required": ["b"]}]}]}, n=INTEGER | {"minimum": 1}
    )
    value: dict[str, Any] = {"n": 0}
    for _ in range(40):
        value = {"a": value}
    assert _misfit(schema, value) == "does not match the schema"


@pytest.mark.parametrize("number", [1, 2**70])
@pytest.mark.parametrize("depth", [254, 5_000, 100_000])
def test_value_that_is_nested_too_deep_does_not_fit(number: int, depth: int) -> None:
    deep: Any = number
    for _ in range(depth):
        deep = [deep]
    assert _misfit(record(a={}), {"a": deep}) == "is nested deeper than 254"


@pytest.mark.parametrize("number", [1, 2**70])
def test_value_that_is_nested_as_deep_as_can_be_shown_is_written(number: int) -> None:
    deep: Any = number
    for _ in range(253):
        deep = [deep]
    written = codec(record(a={})).encode({"a": deep})
    assert written == b'{"a":' + b"[" * 253 + str(number).encode() + b"]" * 253 + b"}"
