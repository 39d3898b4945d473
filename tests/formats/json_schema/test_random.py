"""Random schemas and values, written by Python's own JSON in several layouts, read, and written again."""

import json
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvs_graphql.formats.errors import Undecodable
from tests.formats.data import data
from tests.formats.json_schema.schemas import codec, record
from tests.formats.numbers import integers

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=4)
_NAMES = st.from_regex(r"[a-z]{1,3}", fullmatch=True)
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=5,
)
_LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "boolean"},
        {"type": "integer"},
        {"type": "integer", "minimum": -5, "maximum": 5},
        {"type": "number"},
        {"enum": ["in progress", "done", "42"]},
        {"type": "string", "format": "date"},
        {"type": "string", "format": "uuid"},
        {},
    ]
)


def _with_parts(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda value: {"type": "object", "additionalProperties": value}, inner),
        st.builds(lambda one: {"anyOf": [one, {"type": "null"}]}, inner),
        _records(inner),
    )


def _records(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.tuples(_NAMES, st.sampled_from(["", "_"])).map("".join)
    return st.dictionaries(names, inner, min_size=1, max_size=4).map(lambda properties: record(**properties))


_SCHEMAS = _records(st.recursive(_LEAVES, _with_parts, max_leaves=6))


def _values(schema: Any) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911 - a table of cases
    """Values that a schema allows."""
    match schema:
        case {"enum": words}:
            return st.sampled_from(words)
        case {"format": "date"}:
            return st.dates().map(str)
        case {"format": "uuid"}:
            return st.uuids().map(str)
        case {"type": "string"}:
            return _TEXTS
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer", "minimum": low, "maximum": high}:
            return st.integers(low, high)
        case {"type": "integer"}:
            return integers(-(2**63), 2**63 - 1)
        case {"type": "number"}:
            return _NUMBERS
        case {"type": "array", "items": items}:
            return st.lists(_values(items), max_size=3)
        case {"additionalProperties": value}:
            return st.dictionaries(_TEXTS, _values(value), max_size=3)
        case {"anyOf": [one, _]}:
            return st.none() | _values(one)
        case {"properties": properties}:
            required = schema.get("required", [])
            return st.fixed_dictionaries(
                {name: _values(one) for name, one in properties.items() if name in required},
                optional={name: _values(one) for name, one in properties.items() if name not in required},
            )
    return _ANYTHING


def _expected(schema: Any, value: Any) -> Any:  # noqa: PLR0911 - as above
    match schema:
        case _ if value is None:
            return None
        case {"enum": _}:
            return {"in progress": "in_progress", "done": "done", "42": "_42"}[value]
        case {"type": "integer"} if "maximum" not in schema:
            return str(value)
        case {"type": "array", "items": items}:
            return [_expected(items, item) for item in value]
        case {"additionalProperties": one}:
            return [{"key": key, "value": _expected(one, part)} for key, part in value.items()]
        case {"anyOf": [one, _]}:
            return _expected(one, value)
        case {"properties": properties}:
            return {_name(name): _expected(one, value.get(name)) for name, one in properties.items()}
    return value


def _input(schema: Any, value: Any) -> Any:  # noqa: PLR0911 - as above
    """What GraphQL's inputs give for a value."""
    match schema:
        case _ if value is None:
            return None
        case {"enum": _}:
            return _expected(schema, value)
        case {"type": "array", "items": items}:
            return [_input(items, item) for item in value]
        case {"additionalProperties": one}:
            return [{"key": key, "value": _input(one, part)} for key, part in value.items()]
        case {"anyOf": [one, _]}:
            return _input(one, value)
        case {"properties": properties}:
            return {_name(name): _input(properties[name], part) for name, part in value.items()}
    return value


def _name(name: str) -> str:
    return "id_" if name == "id" else name


@given(drawn=st.data())
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_random_values_are_shown_exactly_and_written_again(drawn: st.DataObject) -> None:
    schema = drawn.draw(_SCHEMAS)
    value = drawn.draw(_values(schema))
    layout: dict[str, Any] = drawn.draw(
        st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}])
    )
    made = codec(schema)
    text = json.dumps(value, **layout).encode()
    decoded = made.decode(text)
    assert json.loads(orjson.dumps(data(made.shape, decoded))) == _expected(schema, value)
    assert json.loads(made.as_json(decoded)) == value
    written = json.loads(made.encode(_input(schema, value)))
    assert json.loads(orjson.dumps(data(made.shape, made.decode(json.dumps(written).encode())))) == _expected(
        schema, value
    )


@given(drawn=st.data())
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_random_values_without_the_shape_are_undecodable_and_nothing_else(drawn: st.DataObject) -> None:
    made = codec(drawn.draw(_SCHEMAS))
    value = drawn.draw(_ANYTHING | st.dictionaries(_NAMES, _ANYTHING, max_size=4))
    decoded = made.decode(json.dumps(value).encode())
    assert json.loads(made.as_json(decoded)) == value
    try:
        orjson.dumps(data(made.shape, decoded))
    except (Undecodable, KeyError):  # the latter stands for a word that an enumeration does not have
        pass
