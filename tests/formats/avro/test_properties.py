"""Random schemas and values, written by fastavro, read and written here."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from kvs_graphql.formats.avro import codec as codec_of
from kvs_graphql.formats.avro import windows
from kvs_graphql.formats.codec import Check
from kvs_graphql.formats.errors import Undecodable
from tests.formats.avro import inputs
from tests.formats.avro.leaves import MEANINGS, NAMED, PRIMITIVES, TEXT, Sample, Samples, in_base64, same
from tests.formats.avro.schemas import cannot_read, codec, record, text, written
from tests.formats.data import data, without_wrappers

EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

LEAVES = [*PRIMITIVES, *(schema for schema, _ in MEANINGS.values())]
SHOWN_NAMES = {"id": "id_", "_id": "_id_", "true": "true_"}
"""Names in schemas that GraphQL has in another form."""


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
        return draw(st.sampled_from(LEAVES))
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


def values(schema: Any) -> Samples:
    """Values of a schema."""
    found: Samples
    match schema:
        case str():
            found = PRIMITIVES[schema]
        case list():
            found = st.one_of(list(map(_branch_values, schema)))
        case {"logicalType": meaning}:
            found = MEANINGS[meaning][1]
        case {"symbols": symbols}:
            found = st.sampled_from(symbols).map(lambda value: Sample(value, value, SHOWN_NAMES.get(value, value)))
        case {"size": size}:
            found = st.binary(min_size=size, max_size=size).map(in_base64)
        case {"items": items}:
            found = st.lists(values(items), max_size=3).map(_list)
        case {"values": inner}:
            found = st.dictionaries(TEXT, values(inner), max_size=3).map(_map)
        case {"fields": []}:
            found = st.just({}).map(same)
        case _:
            found = st.fixed_dictionaries({each["name"]: values(each["type"]) for each in schema["fields"]}).map(
                _record
            )
    return found


def _branch_values(schema: Any) -> Samples:
    return values(schema).map(lambda one: one._replace(value=(label(schema), one.value)))


def _list(items: list[Sample]) -> Sample:
    return Sample(*([one[part] for one in items] for part in range(3)))


def _map(entries: dict[str, Sample]) -> Sample:
    shown = [{"key": key, "value": one.shown} for key, one in entries.items()]
    return _record(entries)._replace(shown=shown)


def _record(fields: dict[str, Sample]) -> Sample:
    return Sample(
        {name: one.value for name, one in fields.items()},
        {name: one.json for name, one in fields.items()},
        {SHOWN_NAMES.get(name, name): one.shown for name, one in fields.items()},
    )


def whole(schema: Any, shown: Any) -> Any:
    """What `data` shows of a value, which lies in an object where it is none itself."""
    is_object = isinstance(schema, dict) and schema.get("fields")
    return shown if is_object else {"value": shown}


def is_read_and_written_again(schema: Any, sample: Sample) -> None:
    payload = written(schema, sample.value)
    orders = codec(schema)
    found = orders.decode(payload, orders.parse(text(schema)))
    assert json.loads(orders.as_json(found)) == sample.json
    shown = data(orders.shape, found)
    assert without_wrappers(shown) == whole(schema, sample.shown)
    assert orders.encode(inputs.given(orders.shape, shown)) == payload


@EXAMPLES
@given(st.data())
def test_value_that_fastavro_wrote_is_read_and_written_again(draws: st.DataObject) -> None:
    schema = draws.draw(schemas())
    is_read_and_written_again(schema, draws.draw(values(schema)))


@EXAMPLES
@given(st.data(), st.sampled_from([10, 16, 40, 1_024]), st.integers(-3, 0))
def test_value_is_the_same_however_it_is_cut_into_windows(draws: st.DataObject, window: int, end: int) -> None:
    schema = draws.draw(schemas())
    payload = written(schema, draws.draw(values(schema)).value)
    payload = payload[: end or None] + draws.draw(st.binary(max_size=2))
    orders = codec(schema)

    def decoded(check: Check) -> Any:
        try:
            return orders.decode(payload, orders.parse(text(schema)), check)
        except Undecodable:
            return Undecodable

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(windows, "WINDOW_BYTES", window)
        patched.setattr(codec_of, "_PARTS_AT_ONCE_MAX", 0)
        # NaN is no number that equals itself.
        assert repr(decoded(lambda: None)) == repr(decoded(None))


EACH_LEAF = [*PRIMITIVES.items(), *MEANINGS.values(), *NAMED.values()]
NAMES = [f"part{number}" for number in range(len(EACH_LEAF))]
RECORD_WITH_EACH_LEAF = record(*zip(NAMES, (kind for kind, _ in EACH_LEAF), strict=True))
"""A record with each type that has no parts."""


def values_with_each_leaf() -> Samples:
    """Values of that record."""
    return st.tuples(*(samples for _, samples in EACH_LEAF)).map(
        lambda samples: _record(dict(zip(NAMES, samples, strict=True)))
    )


@EXAMPLES
@given(values_with_each_leaf())
def test_record_with_each_type_without_parts_is_read_and_written_again(sample: Sample) -> None:
    is_read_and_written_again(RECORD_WITH_EACH_LEAF, sample)


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
    value = draws.draw(values(writing)).value
    assume(cannot_read(reading, writing) is None)
    orders = codec(reading)
    try:
        found = orders.decode(written(writing, value), orders.parse(text(writing)))
        shown = data(orders.shape, found)
        orders.as_json(found)
    except Undecodable as error:
        reason = error.reason
        event(reason)
    else:
        again = orders.encode(inputs.given(orders.shape, shown))
        assert data(orders.shape, orders.decode(again, orders.parse(text(reading)))) == shown
        reason = "utf-8"
    # Bytes that became text, and numbers that became dates and times.
    assert any(text in reason for text in ("utf-8", "no form in RFC 3339", "no time of a day")), reason


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
