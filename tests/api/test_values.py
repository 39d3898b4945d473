"""Values by key: encodings in and out, JSON, headers, times; and how the other tests here come by a service."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.records import Positions, advance
from kvs_graphql.state import State
from tests.serving import Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

Pair = tuple[bytes | None, bytes | None]
Header = tuple[str, bytes | None]

HOUR_ONE_MS = 3_600_000
YEAR_ABOUT_287_000_MS = 2**53
DOCUMENT = rb'{"": 0, "a/b": 1, "m~n": 2, "list": ["x", {"y": null}], "big": 9007199254740993, "text": "abc"}'
NESTED_DEEPER_THAN_A_RESPONSE_CAN_BE = b"[" * 300 + b"]" * 300
HEADERS: list[Header] = [("trace", b"one"), ("trace", b"two"), ("raw", b"\xff\x00"), ("empty", b"")]
VALUE_OF = "query($key: String!) { value(key: $key) { value } }"
JSON_AT = "query($key: String!, $pointer: String!) { value(key: $key) { json(pointer: $pointer) } }"


@dataclass(frozen=True)
class Holding:
    """A running service, and the topic that it serves."""

    served: Served
    bootstrap_servers: str
    topic: str

    async def write(self, *records: Pair, headers: Iterable[Header] | None = None) -> Positions:
        """Produce records to partition 0 and return the positions after them, once the service has applied them."""
        positions = await produce(self.bootstrap_servers, self.topic, *records, headers=headers)
        await self.served.applied(positions)
        return positions


async def produce(
    bootstrap_servers: str,
    topic: str,
    *records: Pair,
    headers: Iterable[Header] | None = None,
    timestamp_ms: int | None = None,
) -> Positions:
    """Produce records to partition 0 and return the positions after them, once Kafka has them."""
    positions: Positions = ()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, max_request_size=2**21) as producer:
        for key, value in records:
            sent = await producer.send_and_wait(topic, value, key, 0, timestamp_ms=timestamp_ms, headers=headers)
            positions = advance(positions, sent.partition, sent.offset + 1)
    return positions


@asynccontextmanager
async def holding(
    broker: EmbeddedBroker, directory: Path, *records: Pair, topic: str = "", **settings: Any
) -> AsyncIterator[Holding]:
    """A live service that has applied those records; of a new topic of one partition, where none is named."""
    servers = broker.bootstrap_servers
    name = topic or f"topic-{uuid4().hex}"
    if not topic:
        broker.create_topic(name)
    # Before the service starts: a waiting fetch of the embedded broker takes half a second to see a record.
    positions = await produce(servers, name, *records)
    async with serving(servers, name, directory, **settings) as served:
        await served.state(State.LIVE)
        await served.applied(positions)
        yield Holding(served, servers, name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def held(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Holding]:
    records: list[Pair] = [
        (b"plain", b"text"),
        ("Schlüssel".encode(), "Wert €".encode()),
        (b"\xff/\x00", b"\xfe\xff"),
        (b"json", DOCUMENT),
        (b"empty", b""),
        (b"deep", NESTED_DEEPER_THAN_A_RESPONSE_CAN_BE),
        (b"gone", b"there"),
        (b"gone", None),
        (b"later", b"one"),
        (b"later", b"two"),
    ]
    topic = f"topic-{uuid4().hex}"
    embedded_broker.create_topic(topic)
    servers, directory = embedded_broker.bootstrap_servers, tmp_path_factory.mktemp("values")
    await produce(servers, topic, (b"headed", b"h"), headers=HEADERS, timestamp_ms=HOUR_ONE_MS)
    await produce(servers, topic, (b"far", b"f"), timestamp_ms=YEAR_ABOUT_287_000_MS)
    async with holding(embedded_broker, directory, *records, topic=topic) as held:
        yield held


@pytest.fixture
def served(held: Holding) -> Served:
    return held.served


async def value_of(served: Served, key: str) -> Any:
    return (await served.data(VALUE_OF, key=key))["value"]


async def test_the_last_value_of_a_key_is_its_value(served: Served) -> None:
    assert await value_of(served, "later") == {"value": "two"}


async def test_a_key_without_a_value_is_null_whether_it_never_was_or_was_deleted(served: Served) -> None:
    assert await value_of(served, "never") is None
    assert await value_of(served, "gone") is None


async def test_an_empty_value_is_not_the_same_as_none(served: Served) -> None:
    entry = (await served.data('{ value(key: "empty") { value size base64: value(encoding: BASE64) } }'))["value"]
    assert entry == {"value": "", "size": 0, "base64": ""}


async def test_values_keep_the_order_of_the_keys_with_duplicates_and_null_where_absent(served: Served) -> None:
    keys = ["later", "never", "plain", "later", "gone"]
    found = await served.data("query($keys: [String!]!) { values(keys: $keys) { key } }", keys=keys)
    assert found["values"] == [{"key": "later"}, None, {"key": "plain"}, {"key": "later"}, None]


async def test_no_keys_give_no_values(served: Served) -> None:
    assert await served.data("{ values(keys: []) { key } }") == {"values": []}


@pytest.mark.parametrize(
    ("encoding", "key"),
    [("UTF8", "Schlüssel"), ("BASE64", "U2NobMO8c3NlbA=="), ("HEX", "5363686cc3bc7373656c")],
)
async def test_a_key_and_its_value_go_in_and_out_in_every_encoding(served: Served, encoding: str, key: str) -> None:
    document = """
    query($key: String!, $encoding: Encoding!) {
      value(key: $key, keyEncoding: $encoding) { id key(encoding: $encoding) hex: value(encoding: HEX) size }
    }
    """
    found = await served.data(document, key=key, encoding=encoding)
    assert found["value"] == {"id": "U2NobMO8c3NlbA", "key": key, "hex": "5765727420e282ac", "size": 8}


async def test_a_key_that_is_not_utf8_shows_its_bytes_and_is_exact_in_base64_and_hex(served: Served) -> None:
    fields = "key base64: key(encoding: BASE64) hex: key(encoding: HEX)"
    entry = (await served.data(f'{{ value(key: "ff2f00", keyEncoding: HEX) {{ {fields} }} }}'))["value"]
    assert entry == {"key": "\\xff/\0", "base64": "/y8A", "hex": "ff2f00"}


async def test_the_id_of_an_entry_finds_it_again_and_tells_its_type(served: Served) -> None:
    by_key = await served.data('{ value(key: "ff2f00", keyEncoding: HEX) { id } }')
    document = "query($id: ID!) { node(id: $id) { __typename id ... on Entry { key(encoding: HEX) } } }"
    assert by_key["value"]["id"] == "_y8A"
    assert (await served.data(document, id="_y8A"))["node"] == {"__typename": "Entry", "id": "_y8A", "key": "ff2f00"}


async def test_an_id_of_a_key_without_a_value_is_null(served: Served) -> None:
    assert await served.data('{ node(id: "Z29uZQ") { id } }') == {"node": None}


@pytest.mark.parametrize("identity", ["Z29uZQ==", "Z29uZR", "Z", "é", "a b", "+/"])
async def test_a_malformed_id_is_a_bad_key(served: Served, identity: str) -> None:
    assert await served.code("query($id: ID!) { node(id: $id) { id } }", id=identity) == "BAD_KEY"


@pytest.mark.parametrize(
    ("encoding", "key"), [("BASE64", "YQ"), ("BASE64", "Y Q="), ("BASE64", "é"), ("HEX", "6"), ("HEX", "0x61")]
)
@pytest.mark.parametrize("field", ["value(key: $key", "values(keys: [$key]", "entries(prefix: $key"])
async def test_a_key_that_is_not_in_its_encoding_is_a_bad_key(
    served: Served, field: str, encoding: str, key: str
) -> None:
    document = f"query($key: String!) {{ {field}, keyEncoding: {encoding}) {{ __typename }} }}"
    assert await served.code(document, key=key) == "BAD_KEY"


async def test_a_value_that_is_not_utf8_is_null_with_an_error_beside_the_good_fields(served: Served) -> None:
    document = '{ value(key: "ff2f00", keyEncoding: HEX) { size value raw: value(encoding: BASE64) } }'
    answer = await served.query(document)
    assert answer["data"]["value"] == {"size": 2, "value": None, "raw": "/v8="}
    (error,) = answer["errors"]
    assert (error["extensions"], error["path"]) == ({"code": "NOT_UTF8"}, ["value", "value"])


@pytest.mark.parametrize("key", ["plain", "empty"])
async def test_a_value_that_is_not_json_is_null_with_an_error_beside_the_good_fields(served: Served, key: str) -> None:
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
async def test_a_json_pointer_finds_a_part_of_the_value(served: Served, pointer: str, found: object) -> None:
    assert (await served.data(JSON_AT, key="json", pointer=pointer))["value"] == {"json": found}


@pytest.mark.parametrize(
    "pointer", ["/nothing", "/list/2", "/list/-", "/list/-/x", "/list/01", "/list/x", "/text/0", "/big/0", "/a/b"]
)
async def test_a_json_pointer_to_nothing_is_null(served: Served, pointer: str) -> None:
    assert (await served.data(JSON_AT, key="json", pointer=pointer))["value"] == {"json": None}


@pytest.mark.parametrize("pointer", ["list", "#/list", "/~2", "/list/~"])
async def test_a_malformed_json_pointer_is_bad_input(served: Served, pointer: str) -> None:
    assert await served.code(JSON_AT, key="json", pointer=pointer) == "BAD_INPUT"


async def test_json_nested_deeper_than_an_answer_can_be_is_an_error_of_that_field_alone(served: Served) -> None:
    answer = await served.query('{ value(key: "deep") { json size } }')
    assert answer["data"] == {"value": {"json": None, "size": 600}}
    assert answer["errors"][0]["extensions"]["code"] == "NOT_JSON"


async def test_headers_keep_their_order_repeats_and_bytes(served: Served) -> None:
    document = '{ value(key: "headed") { headers { key value(encoding: HEX) } } }'
    headers = (await served.data(document))["value"]["headers"]
    assert headers == [{"key": key, "value": (value or b"").hex()} for key, value in HEADERS]


async def test_a_header_that_is_not_utf8_is_null_with_an_error_beside_the_others(served: Served) -> None:
    answer = await served.query('{ value(key: "headed") { headers { value } } }')
    assert [header["value"] for header in answer["data"]["value"]["headers"]] == ["one", "two", None, ""]
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("NOT_UTF8", ["value", "headers", 2, "value"])


async def test_the_time_of_a_record_is_shown_in_utc(served: Served) -> None:
    found = await served.data('{ value(key: "headed") { timestamp } }')
    assert found["value"]["timestamp"] == "1970-01-01T01:00:00+00:00"


async def test_a_time_that_no_calendar_holds_is_null(served: Served) -> None:
    assert await served.data('{ value(key: "far") { value timestamp } }') == {
        "value": {"value": "f", "timestamp": None}
    }


async def test_a_value_of_a_megabyte_comes_back_whole_with_its_header(held: Holding) -> None:
    value = bytes(range(256)) * 4096
    await held.write((b"large", value), headers=[("kind", b"large")])
    document = '{ value(key: "large") { size value(encoding: HEX) headers { key value } } }'
    entry = (await held.served.data(document))["value"]
    assert entry == {"size": 2**20, "value": value.hex(), "headers": [{"key": "kind", "value": "large"}]}
