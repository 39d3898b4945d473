"""Random schemas and values, written by fastavro, read and written here."""

import json
from base64 import b64encode
from collections.abc import Iterator
from itertools import count
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from kvs_graphql.formats.errors import Undecodable
from tests.formats.avro import inputs
from tests.formats.avro.schemas import cannot_read, codec, text, written
from tests.formats.data import data

EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

INTS = {"int": st.integers(-(2**31), 2**31 - 1), "long": st.integers(-(2**63), 2**63 - 1)}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
NUMBERS = {
    "float": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "double": st.floats(allow_nan=False, allow_infinity=False),
}
LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "bytes": st.binary(max_size=5),
    "string": TEXT,
    **INTS,
    **NUMBERS,
}


@st.composite
def schemas(draw: st.DrawFn, numbers: Iterator[int] | None = None, depth: int = 3, *, unions: bool = True) -> Any:
    """A schema without recursion, in which each named type is used once."""
    numbers = count() if numbers is None else numbers
    inner = schemas(numbers, depth - 1)
    nested = ["array", "map", "record", "record", *(["union"] if unions else [])]
    named = {"name": f"ns{next(numbers) % 3}.T{next(numbers)}"}
    kind = draw(st.sampled_from(["leaf", "enum", "fixed", *(nested if depth else [])]))
    parts: dict[str, st.SearchStrategy[Any]] = {
        "enum": st.fixed_dictionaries({"symbols": SYMBOLS}),
        "fixed": st.fixed_dictionaries({"size": st.integers(0, 3)}),
        "array": st.fixed_dictionaries({"items": inner}),
        "map": st.fixed_dictionaries({"values": inner}),
        "record": st.fixed_dictionaries({"fields": FIELD_NAMES.flatmap(lambda names: fields_of(names, inner))}),
    }
    if kind == "leaf":
        return draw(st.sampled_from(sorted(LEAVES)))
    if kind == "union":
        branch = schemas(numbers, depth - 1, unions=False)
        return draw(st.lists(branch, min_size=1, max_size=4, unique_by=label))
    return {"type": kind, **({} if kind in ("array", "map") else named), **draw(parts[kind])}


def fields_of(names: list[str], inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*(st.fixed_dictionaries({"name": st.just(name), "type": inner}) for name in names)).map(list)


FIELD_NAMES = st.lists(st.sampled_from(["id", "_id", "a", "A", "b_c", "bC"]), max_size=4, unique=True)
SYMBOLS = st.lists(st.sampled_from(["A", "B", "true", "_x"]), min_size=1, unique=True)


def label(schema: Any) -> str:
    """What fastavro calls a branch of a union."""
    return schema if isinstance(schema, str) else str(schema.get("name") or schema["type"])


def values(schema: Any) -> st.SearchStrategy[tuple[Any, Any]]:
    """A value as fastavro takes it, and as JSON."""
    found: st.SearchStrategy[tuple[Any, Any]]
    match schema:
        case "bytes":
            found = LEAVES["bytes"].map(_with_base64)
        case str():
            found = LEAVES[schema].map(lambda value: (value, value))
        case list():
            found = st.one_of(list(map(_branch_values, schema)))
        case {"symbols": symbols}:
            found = st.sampled_from(symbols).map(lambda value: (value, value))
        case {"size": size}:
            found = st.binary(min_size=size, max_size=size).map(_with_base64)
        case {"items": items}:
            pairs = st.lists(values(items), max_size=3)
            found = pairs.map(lambda pair: ([each[0] for each in pair], [each[1] for each in pair]))
        case {"values": inner}:
            found = st.dictionaries(TEXT, values(inner), max_size=3).map(_split)
        case _:
            fields = {each["name"]: values(each["type"]) for each in schema["fields"]}
            found = st.fixed_dictionaries(fields).map(_split)
    return found


def _branch_values(schema: Any) -> st.SearchStrategy[tuple[Any, Any]]:
    return values(schema).map(lambda pair: ((label(schema), pair[0]), pair[1]))


def _with_base64(value: bytes) -> tuple[bytes, str]:
    return value, b64encode(value).decode()


def _split(pairs: dict[str, tuple[Any, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}


@EXAMPLES
@given(st.data())
def test_value_that_fastavro_wrote_is_read_and_written_again(draws: st.DataObject) -> None:
    schema = draws.draw(schemas())
    value, as_json = draws.draw(values(schema))
    payload = written(schema, value)
    orders = codec(schema)
    found = orders.decode(payload, orders.parse(text(schema)))
    assert json.loads(orders.as_json(found)) == as_json
    shown = data(orders.shape, found)
    assert orders.encode(inputs.given(orders.shape, shown)) == payload


@EXAMPLES
@given(schemas(), st.binary(max_size=30))
def test_any_bytes_are_decoded_or_undecodable(schema: Any, payload: bytes) -> None:
    orders = codec(schema)
    try:
        found = orders.decode(payload, orders.parse(text(schema)))
        data(orders.shape, found)
        orders.as_json(found)
    except Undecodable:
        pass


@EXAMPLES
@given(st.data())
def test_value_of_another_schema_is_read_unless_the_schema_cannot_be_read(draws: st.DataObject) -> None:
    """A reader that is said to read a writer reads its values, in the reader's shape."""
    writing = draws.draw(schemas(count(), 2))
    reading = draws.draw(st.one_of(schemas(count(), 2), changed(writing)))
    value, _ = draws.draw(values(writing))
    assume(cannot_read(reading, writing) is None)
    orders = codec(reading)
    try:
        found = orders.decode(written(writing, value), orders.parse(text(writing)))
    except Undecodable as error:
        reason = error.reason
        event(reason)
    else:
        shown = data(orders.shape, found)
        orders.as_json(found)
        again = orders.encode(inputs.given(orders.shape, shown))
        assert data(orders.shape, orders.decode(again, orders.parse(text(reading)))) == shown
        reason = "utf-8"
    assert "utf-8" in reason, "only bytes that became text can be undecodable"


@st.composite
def changed(draw: st.DrawFn, schema: Any) -> Any:
    """A schema that reads the other one in most cases."""
    found = schema
    match schema:
        case "int":
            found = draw(st.sampled_from(["int", "long", "double", ["null", "long"], ["string", "int"]]))
        case str():
            found = draw(
                st.sampled_from([schema, [schema], sorted({schema, "null"}), sorted({schema, "boolean", "int"})])
            )
        case list():
            found = draw(st.permutations(schema))
        case {"items": items}:
            found = schema | {"items": draw(changed(items))}
        case {"type": "map", "values": inner}:
            found = schema | {"values": draw(changed(inner))}
        case {"symbols": symbols}:
            kept = symbols[: draw(st.integers(1, 3))]
            found = schema | {"symbols": kept, "default": kept[0]}
        case {"fields": fields}:
            kept = [each | {"type": draw(changed(each["type"]))} for each in fields[draw(st.integers(0, 2)) :]]
            added = [{"name": "added", "type": ["null", "int"], "default": None}]
            found = schema | {"fields": draw(st.permutations(kept + added))}
    return found
