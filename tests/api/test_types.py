"""The fields of an entry: values, JSON, headers and timestamps."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio
from graphql import GraphQLObjectType

from kvs_graphql.api import build_schema
from kvs_graphql.compat.strawberry import graphql_schema
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import Header, Pair, Served, ServedTopic, produce, serving_topic

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE_HOUR_MS = 3_600_000
YEAR_ABOUT_287_000_MS = 2**53
DOCUMENT = rb'{"": 0, "a/b": 1, "m~n": 2, "list": ["x", {"y": null}], "big": 9007199254740993, "text": "abc"}'
HEADERS: list[Header] = [("trace", b"one"), ("trace", b"two"), ("raw", b"\xff\x00"), ("empty", b"")]
VALUE_OF = "query($key: String!) { value(key: $key) { value } }"
POINTER_CHARACTERS_MAX = 1_024
JSON_AT = "query($key: String!, $pointer: String!) { value(key: $key) { json(pointer: $pointer) } }"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory, table: str
) -> AsyncIterator[ServedTopic]:
    records: list[Pair] = [
        (b"plain", b"text"),
        (b"\xff/\x00", b"\xfe\xff"),
        (b"json", DOCUMENT),
        (b"empty", b""),
        (b"gone", b"there"),
        (b"gone", None),
        (b"later", b"one"),
        (b"later", b"two"),
    ]
    name = f"topic-{uuid4().hex}"
    embedded_broker.create_topic(name)
    servers, directory = embedded_broker.bootstrap_servers, tmp_path_factory.mktemp("values")
    await produce(servers, name, (b"headed", b"h"), headers=HEADERS, timestamp_ms=ONE_HOUR_MS)
    await produce(servers, name, (b"far", b"f"), timestamp_ms=YEAR_ABOUT_287_000_MS)
    async with serving_topic(embedded_broker, directory, *records, topic=name, table=table) as topic:
        yield topic


@pytest.fixture
def served(topic: ServedTopic) -> Served:
    return topic.served


async def test_only_entries_have_an_id_for_caches_key_objects_by_it() -> None:
    kinds = graphql_schema(build_schema({"": True})).type_map.values()
    objects = [kind for kind in kinds if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")]
    assert [kind.name for kind in objects if {"id", "_id"} & kind.fields.keys()] == ["Entry"]


async def value_of(served: Served, key: str) -> Any:
    return (await served.data(VALUE_OF, key=key))["value"]


async def test_value_of_a_key_is_the_last_one_written(served: Served) -> None:
    assert await value_of(served, "later") == {"value": "two"}


async def test_key_that_never_had_a_value_and_deleted_key_are_null(served: Served) -> None:
    assert await value_of(served, "never") is None
    assert await value_of(served, "gone") is None


async def test_empty_value_is_not_null(served: Served) -> None:
    entry = (await served.data('{ value(key: "empty") { value size base64: value(encoding: BASE64) } }'))["value"]
    assert entry == {"value": "", "size": 0, "base64": ""}


async def test_value_that_is_not_utf8_is_null_with_an_error(served: Served) -> None:
    document = '{ value(key: "ff2f00", keyEncoding: HEX) { size value raw: value(encoding: BASE64) } }'
    answer = await served.query(document)
    assert answer["data"]["value"] == {"size": 2, "value": None, "raw": "/v8="}
    (error,) = answer["errors"]
    assert (error["extensions"], error["path"]) == ({"code": "NOT_UTF8"}, ["value", "value"])


@pytest.mark.parametrize("key", ["plain", "empty"])
async def test_value_that_is_not_json_is_null_with_an_error(served: Served, key: str) -> None:
    answer = await served.query("query($key: String!) { value(key: $key) { key json } }", key=key)
    assert answer["data"]["value"] == {"key": key, "json": None}
    assert answer["errors"][0]["extensions"] == {"code": "NOT_JSON"}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", orjson.loads(DOCUMENT)),
        ("/", 0),
        ("/a~1b", 1),
        ("/m~0n", 2),
        ("/list/0", "x"),
        ("/list/1", {"y": None}),
        ("/list/1/y", None),
        ("/big", 9007199254740993),
    ],
)
async def test_json_pointer_finds_a_part_of_the_value(served: Served, pointer: str, found: object) -> None:
    assert (await served.data(JSON_AT, key="json", pointer=pointer))["value"] == {"json": found}


@pytest.mark.parametrize(
    "pointer", ["/nothing", "/list/2", "/list/-", "/list/-/x", "/list/01", "/list/x", "/text/0", "/big/0", "/a/b"]
)
async def test_json_pointer_to_nothing_is_null(served: Served, pointer: str) -> None:
    assert (await served.data(JSON_AT, key="json", pointer=pointer))["value"] == {"json": None}


@pytest.mark.parametrize("pointer", ["list", "#/list", "/~2", "/list/~"])
async def test_malformed_json_pointer_is_bad_input(served: Served, pointer: str) -> None:
    assert await served.code(JSON_AT, key="json", pointer=pointer) == "BAD_INPUT"


async def test_json_pointer_is_bounded_in_characters(served: Served) -> None:
    longest = "/a" * (POINTER_CHARACTERS_MAX // 2)
    assert (await served.data(JSON_AT, key="json", pointer=longest))["value"] == {"json": None}
    (error,) = (await served.query(JSON_AT, key="json", pointer=f"{longest}/"))["errors"]
    assert error["extensions"] == {"code": "BAD_INPUT", "limit": POINTER_CHARACTERS_MAX}


async def test_headers_keep_their_order_repeats_and_bytes(served: Served) -> None:
    document = '{ value(key: "headed") { headers { key value(encoding: HEX) } } }'
    headers = (await served.data(document))["value"]["headers"]
    assert headers == [{"key": key, "value": (value or b"").hex()} for key, value in HEADERS]


async def test_header_that_is_not_utf8_is_null_with_an_error(served: Served) -> None:
    answer = await served.query('{ value(key: "headed") { headers { value } } }')
    assert [header["value"] for header in answer["data"]["value"]["headers"]] == ["one", "two", None, ""]
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("NOT_UTF8", ["value", "headers", 2, "value"])


async def test_timestamp_of_a_record_is_in_utc(served: Served) -> None:
    found = await served.data('{ value(key: "headed") { timestamp } }')
    assert found["value"]["timestamp"] == "1970-01-01T01:00:00+00:00"


async def test_timestamp_beyond_the_calendar_is_null(served: Served) -> None:
    assert await served.data('{ value(key: "far") { value timestamp } }') == {
        "value": {"value": "f", "timestamp": None}
    }


async def test_value_of_a_megabyte_is_whole(topic: ServedTopic) -> None:
    value = bytes(range(256)) * 4096
    await topic.write((b"large", value), headers=[("kind", b"large")])
    document = '{ value(key: "large") { size value(encoding: HEX) headers { key value } } }'
    entry = (await topic.served.data(document))["value"]
    assert entry == {"size": 2**20, "value": value.hex(), "headers": [{"key": "kind", "value": "large"}]}
