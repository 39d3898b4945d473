"""Whole values through GraphQL, on both back ends: each construct of Avro, schemas as they are in use, random ones."""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvs_graphql.api import build_schema
from kvs_graphql.executor import Executor
from kvs_graphql.formats import FormatLimits, SchemaFormat, SchemaText, TableFormats, load_codec
from kvs_graphql.records import Record
from tests.api.typed.selections import everything_in, text_of, without_aliases
from tests.applications import DOCUMENT_LIMITS, EXECUTOR_LIMITS, open_application
from tests.executor.subscribers import GraphQLCoreOnly
from tests.formats.avro import schemas as avro
from tests.formats.avro import test_constructs as avro_constructs
from tests.formats.avro import test_properties as random_avro
from tests.formats.avro import test_real_shapes as avro_shapes
from tests.formats.avro.leaves import Sample
from tests.formats.data import data, without_wrappers
from tests.formats.json_schema import schemas as json_schema
from tests.formats.json_schema import test_real_shapes as json_shapes
from tests.formats.protobuf import schemas as protobuf
from tests.formats.protobuf import test_random as random_protobuf
from tests.formats.protobuf import test_real_shapes as protobuf_shapes

BACK_ENDS = {"compiled": Executor, "graphql-core": GraphQLCoreOnly}
ROOMY = replace(
    EXECUTOR_LIMITS, documents=replace(DOCUMENT_LIMITS, depth_max=60, aliases_max=10_000, tokens_max=50_000)
)


async def read(directory: Path, source: SchemaText, raw: bytes, executor: Callable[..., Executor]) -> tuple[Any, Any]:
    """The whole data of a value as GraphQL answers it, and as its codec has it."""
    codec = load_codec(source, "Orders", frozenset(), FormatLimits())
    form = SchemaFormat(codec, source)
    schema = build_schema({"orders": True}, {"orders": TableFormats(form)}, json_bytes_max=10**6, data_bytes_max=10**6)
    whole = orjson.loads(orjson.dumps(data(codec.shape, form.decode(raw))))
    selection = everything_in(codec.shape, [whole])
    document = f'{{ ordersValue(key: "k") {{ data {text_of(codec.shape, selection)} }} }}'
    records = [Record(b"k", raw, 0, 0, 0, None)]
    async with open_application(
        directory, records, schema=schema, executor=executor, executor_limits=ROOMY, name="orders", threads=False
    ) as application:
        answer = await application.query(document)
    assert "errors" not in answer, answer["errors"]
    return without_aliases(codec.shape, answer["data"]["ordersValue"]["data"]), whole


def each_construct() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A record with each construct of Avro as a field, which lies in itself, a value of it, and how that shows."""
    fields, value, shown = list[Any](), dict[str, Any](), dict[str, Any]()
    for number, (kind, _, written, expected, _) in enumerate(avro_constructs.FIELDS.values()):
        name = f"part{number}"
        fields.append((name, renamed(kind, number)))
        value[name], shown[name] = written, expected
    fields += [("choices", {"type": "array", "items": CHOICES}), ("itself", ["null", "com.shop.Order"])]
    value |= {"choices": [one for one, _ in CHOSEN], "itself": None}
    shown |= {"choices": [one for _, one in CHOSEN], "itself": None}
    return avro.record(*fields), value | {"itself": value}, shown | {"itself": shown}


CHOICES = ["null", "int", "long", avro.record(("number", "string"), name="com.shop.Card"), "bytes"]
CHOSEN: list[tuple[Any, Any]] = [
    (("int", 5), {"__typename": "OrdersChoicesInt", "value": 5}),
    (None, None),
    (("long", 5), {"__typename": "OrdersChoicesLong", "value": "5"}),
    (("com.shop.Card", {"number": "1"}), {"__typename": "OrdersCard", "number": "1"}),
    (("bytes", b"\xff"), {"__typename": "OrdersChoicesBytes", "value": "/w=="}),
]
"""A union of several types: values of each of them, and how they show."""


def renamed(kind: Any, number: int) -> Any:
    """A type whose named types have other names than those of other numbers."""
    if isinstance(kind, list):
        return [renamed(one, number) for one in kind]
    if not isinstance(kind, dict):
        return kind
    own = {key: renamed(one, number) for key, one in kind.items()}
    return own | {"name": f"{kind['name']}{number}"} if kind.get("type") in ("record", "enum", "fixed") else own


@pytest.mark.parametrize("executor", BACK_ENDS.values(), ids=BACK_ENDS.keys())
async def test_each_construct_of_avro_is_read_through_graphql(tmp_path: Path, executor: type[Executor]) -> None:
    schema, value, shown = each_construct()
    found, _ = await read(tmp_path, avro.text(schema), avro.written(schema, value), executor)
    assert found == shown


def of_avro(schema: Any, value: Any) -> tuple[SchemaText, bytes]:
    return avro.text(schema), avro.written(schema, value)


def of_protobuf(text: str, value: dict[str, Any]) -> tuple[SchemaText, bytes]:
    return protobuf.schema(text), protobuf.written(text, value)


def of_json(schema: Any, value: Any) -> tuple[SchemaText, bytes]:
    return json_schema.text_of(schema), orjson.dumps(value)


SHAPES = {
    "events in Avro": of_avro(avro_shapes.EVENT, avro_shapes.EVENT_VALUE),
    "payments in Avro": of_avro(avro_shapes.PAYMENT, avro_shapes.PAYMENT_VALUE),
    "telemetry in Avro": of_avro(avro_shapes.TELEMETRY, avro_shapes.TELEMETRY_VALUE),
    "events in Protobuf": of_protobuf(protobuf_shapes.CLOUD_EVENT, protobuf_shapes.CLOUD_EVENT_VALUE),
    "payments in Protobuf": of_protobuf(protobuf_shapes.PAYMENT, protobuf_shapes.PAYMENT_VALUE),
    "telemetry in Protobuf": of_protobuf(protobuf_shapes.TELEMETRY, protobuf_shapes.TELEMETRY_VALUE),
    "customers of Java's classes": of_json(json_shapes.FROM_JAVA, json_shapes.CUSTOMER),
    "owners of Python's models": of_json(json_shapes.FROM_PYTHON, json_shapes.OWNER),
    "trees of TypeScript's types": of_json(json_shapes.FROM_TYPESCRIPT, json_shapes.TREE),
    "events in JSON": of_json(json_shapes.CLOUD_EVENT, json_shapes.CLOUD_EVENT_VALUE),
}


@pytest.mark.parametrize("executor", BACK_ENDS.values(), ids=BACK_ENDS.keys())
@pytest.mark.parametrize("shape", SHAPES)
async def test_schema_in_the_shape_of_a_real_one_is_read_through_graphql(
    tmp_path: Path, shape: str, executor: type[Executor]
) -> None:
    found, expected = await read(tmp_path, *SHAPES[shape], executor)
    assert found == expected


FEW = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def is_read_through_graphql(schema: Any, sample: Sample) -> None:
    with tempfile.TemporaryDirectory() as directory:
        found, expected = asyncio.run(read(Path(directory), *of_avro(schema, sample.value), Executor))
    assert found == expected
    assert without_wrappers(found) == random_avro.whole(schema, sample.shown)


@FEW
@given(st.data())
def test_random_value_of_avro_is_read_through_graphql(draws: st.DataObject) -> None:
    schema = draws.draw(random_avro.schemas())
    is_read_through_graphql(schema, draws.draw(random_avro.values(schema)))


@FEW
@given(random_avro.values_with_each_leaf())
def test_random_record_with_each_type_without_parts_is_read_through_graphql(sample: Sample) -> None:
    is_read_through_graphql(random_avro.RECORD_WITH_EACH_LEAF, sample)


@FEW
@given(random_protobuf.cases())
def test_random_value_of_protobuf_is_read_through_graphql(case: Any) -> None:
    messages, (value, *_) = case
    source = protobuf.schema(random_protobuf.schema_text(messages))
    with tempfile.TemporaryDirectory() as directory:
        raw = random_protobuf.message_of(messages, "M0", value)
        found, expected = asyncio.run(read(Path(directory), source, raw, Executor))
    assert found == expected
    assert without_wrappers(found) == random_protobuf.data_of(messages, "M0", value)
