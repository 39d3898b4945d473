"""Mutations over GraphQL, with the embedded broker, which gives every record the timestamp 1234 ms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from kvs_graphql.client import connect
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.serving import Served, serving

WRITE = "{ entryId key(encoding: HEX) partition offset timestamp cursor }"
VALUE = """
query ($key: String!, $at: Cursor) {
  value(key: $key, keyEncoding: HEX, atLeast: $at) {
    value(encoding: HEX) partition offset headers { key value(encoding: HEX) }
  }
}
"""


@asynccontextmanager
async def writable(broker: EmbeddedBroker, topic: str, directory: Path, **settings: Any) -> AsyncIterator[Served]:
    """Serve a topic with writes enabled."""
    options = {"enable_writes": True, **settings}
    async with serving(broker.bootstrap_servers, topic, directory, **options) as served:
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        yield served


_JSON = {"content-type": "application/json"}


async def codes(served: Served, document: str) -> dict[str, str]:
    """Return the code of each field that failed."""
    answer = await served.query(document)
    return {error["path"][0]: error["extensions"]["code"] for error in answer.get("errors", ())}


async def test_without_writes_the_schema_has_no_mutations_and_an_error_says_why(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path) as served:
        schema = await served.data("{ __schema { mutationType { name } types { name } } }")
        assert schema["__schema"]["mutationType"] is None
        assert not {"Mutation", "Write", "HeaderInput"} & {found["name"] for found in schema["__schema"]["types"]}
        assert "Mutation" not in (await served.http.get("/schema.graphql")).text
        errors = (await served.query('mutation { set(key: "a", value: "1") { offset } }'))["errors"]
        assert errors[0]["extensions"]["code"] == "WRITES_DISABLED"
        assert "KVS_ENABLE_WRITES" in errors[0]["message"]


async def test_keys_and_values_are_written_in_every_encoding(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, table: str
) -> None:
    async with writable(embedded_broker, embedded_topic, tmp_path, table=table) as served:
        writes = await served.data(
            f"""mutation {{
              text: set(key: "clé", value: "wért") {WRITE}
              hex: set(key: "ff00", keyEncoding: HEX, value: "00ff", valueEncoding: HEX) {WRITE}
              base64: set(key: "/w==", keyEncoding: BASE64, value: "/wA=", valueEncoding: BASE64) {WRITE}
              empty: set(key: "", value: "") {WRITE}
            }}"""
        )
        for name, key, value in (
            ("text", "clé".encode(), "wért".encode()),
            ("hex", b"\xff\x00", b"\x00\xff"),
            ("base64", b"\xff", b"\xff\x00"),
            ("empty", b"", b""),
        ):
            write = writes[name]
            assert write["entryId"] == served.id_of(key)
            assert (write["key"], write["timestamp"]) == (key.hex(), "1970-01-01T00:00:01.234000+00:00")
            found = (await served.data(VALUE, key=key.hex(), at=write["cursor"]))["value"]
            position = {"partition": write["partition"], "offset": write["offset"]}
            assert found == {"value": value.hex(), **position, "headers": []}


async def test_headers_keep_their_order_repeats_and_missing_values(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, table: str
) -> None:
    document = """mutation ($headers: [HeaderInput!]) {
      set(key: "a", value: "1", headers: $headers) { cursor }
    }"""
    headers = [
        {"key": "h", "value": "text"},
        {"key": "h", "value": "/wA=", "encoding": "BASE64"},
        {"key": "none"},
        {"key": "null", "value": None},
        {"key": "", "value": ""},
    ]
    async with writable(embedded_broker, embedded_topic, tmp_path, table=table) as served:
        cursor = (await served.data(document, headers=headers))["set"]["cursor"]
        found = (await served.data(VALUE, key=b"a".hex(), at=cursor))["value"]["headers"]
        assert found == [
            {"key": "h", "value": b"text".hex()},
            {"key": "h", "value": "ff00"},
            {"key": "none", "value": None},
            {"key": "null", "value": None},
            {"key": "", "value": ""},
        ]


async def test_write_shows_the_entry_as_it_will_be_read(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, table: str
) -> None:
    fields = "id key value json size partition offset headers { key value }"
    async with writable(embedded_broker, embedded_topic, tmp_path, table=table) as served:
        document = f"""mutation ($headers: [HeaderInput!]) {{
          set(key: "a", value: "[1]", headers: $headers) {{ entryId cursor entry {{ {fields} }} }}
        }}"""
        write = (await served.data(document, headers=[{"key": "h", "value": "text"}, {"key": "none"}]))["set"]
        found = await served.data(
            f'query ($at: Cursor!) {{ value(key: "a", atLeast: $at) {{ {fields} }} }}', at=write["cursor"]
        )
        assert write["entry"] == found["value"]
        assert write["entryId"] == write["entry"]["id"]


async def test_history_of_a_written_entry_waits_for_the_write(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, table: str
) -> None:
    document = """mutation {
      one: set(key: "a", value: "1") { entry { history { kind value } } }
      gone: delete(key: "a") { entryId entry { id } }
      two: set(key: "a", value: "2") { entry { history { kind value } } }
    }"""
    async with writable(embedded_broker, embedded_topic, tmp_path, table=table) as served:
        data, identity = await served.data(document), served.id_of(b"a")
    past = [{"kind": "SET", "value": "1"}, {"kind": "DELETE", "value": None}, {"kind": "SET", "value": "2"}]
    assert data["one"]["entry"]["history"] == past[:1]
    assert data["gone"] == {"entryId": identity, "entry": None}
    assert data["two"]["entry"]["history"] == past


async def test_answer_to_writes_has_a_cursor_at_which_all_of_them_are_read(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, table: str
) -> None:
    keys = [f"key-{n}" for n in range(20)]
    writes = " ".join(f'w{n}: set(key: "{key}", value: "{n}") {{ offset }}' for n, key in enumerate(keys))
    async with writable(embedded_broker, embedded_topic, tmp_path, table=table) as served:
        cursor = (await served.query(f"mutation {{ {writes} }}"))["extensions"]["cursor"]
        document = "query ($keys: [String!]!, $at: Cursor!) { values(keys: $keys, atLeast: $at) { value } }"
        found = (await served.data(document, keys=keys, at=cursor))["values"]
        assert [entry["value"] for entry in found] == [str(n) for n in range(20)]


async def test_deleted_entry_is_empty_where_tombstones_store_empty_values(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with writable(embedded_broker, embedded_topic, tmp_path, tombstones="empty") as served:
        write = (await served.data('mutation { delete(key: "a") { cursor entry { value size offset } } }'))["delete"]
        document = 'query ($at: Cursor!) { value(key: "a", atLeast: $at) { value size offset } }'
        assert (await served.data(document, at=write["cursor"]))["value"] == write["entry"]
        assert write["entry"] == {"value": "", "size": 0, "offset": 0}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('key: "xyz", keyEncoding: HEX, value: ""', "BAD_KEY"),
        ('key: "123456789", value: ""', "BAD_KEY"),
        ('key: "a", value: "xyz", valueEncoding: HEX', "BAD_INPUT"),
        ('key: "a", value: "", headers: [{key: "h", value: "x", encoding: HEX}]', "BAD_INPUT"),
    ],
)
async def test_invalid_write_is_refused_with_a_code(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, arguments: str, code: str
) -> None:
    async with writable(embedded_broker, embedded_topic, tmp_path, key_bytes_max=8) as served:
        answer = await served.query(f"mutation {{ set({arguments}) {{ offset }} }}")
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]


async def test_failed_write_is_null_and_stops_no_other(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, table: str
) -> None:
    async with writable(embedded_broker, embedded_topic, tmp_path, table=table, value_bytes_max=1) as served:
        answer = await served.query(
            """mutation {
              one: set(key: "a", value: "1") { offset }
              large: set(key: "a", value: "22") { offset }
              header: set(key: "a", value: "", headers: [{key: "h"}]) { offset }
              two: set(key: "a", value: "2") { offset }
            }"""
        )
        assert answer["data"] == {"one": {"offset": 0}, "large": None, "header": None, "two": {"offset": 1}}
        assert [(error["path"], error["extensions"]) for error in answer["errors"]] == [
            ([name], {"code": "VALUE_TOO_LARGE", "limit": 1}) for name in ("large", "header")
        ]


async def test_write_over_the_limit_in_flight_is_refused(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    document = 'mutation { one: set(key: "a", value: "1") { offset } two: set(key: "b", value: "2") { offset } }'
    async with writable(embedded_broker, embedded_topic, tmp_path, writes_in_flight_max=1) as served:
        assert await codes(served, document) == {"two": "LIMIT_EXCEEDED"}
        # Answered writes make room.
        assert await codes(served, document) == {"two": "LIMIT_EXCEEDED"}


async def test_write_over_the_limit_in_bytes_is_refused(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with writable(embedded_broker, embedded_topic, tmp_path, write_buffer_bytes_max=1) as served:
        document = 'mutation { one: set(key: "a", value: "") { offset } two: set(key: "a", value: "2") { offset } }'
        assert await codes(served, document) == {"two": "LIMIT_EXCEEDED"}
        assert await codes(served, 'mutation { set(key: "a", value: "2") { offset } }') == {"set": "LIMIT_EXCEEDED"}
        assert await codes(served, 'mutation { delete(key: "a") { offset } }') == {}


async def test_subscription_after_the_cursor_of_a_write_delivers_later_changes(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, table: str
) -> None:
    async with (
        writable(embedded_broker, embedded_topic, tmp_path, table=table) as served,
        connect(served.run.url) as client,
    ):
        first = (await served.data('mutation { set(key: "a", value: "1") { cursor } }'))["set"]["cursor"]
        updates = client.subscribe(
            served.named("subscription ($after: Cursor) { updates(after: $after) { kind key entry { value } } }"),
            {"after": first},
        )
        assert (await anext(updates))["updates"] == {"kind": "LIVE", "key": None, "entry": None}
        await served.data('mutation { set(key: "a", value: "2") { offset } delete(key: "a") { offset } }')
        assert (await anext(updates))["updates"] == {"kind": "SET", "key": "a", "entry": {"value": "2"}}
        assert (await anext(updates))["updates"] == {"kind": "DELETE", "key": "a", "entry": None}
        await updates.aclose()


async def test_only_post_and_json_can_write(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    """Other sites' pages can make a browser send the other kinds without a preflight request."""
    document = 'mutation { set(key: "a", value: "1") { cursor } }'
    body = orjson.dumps({"query": document})
    async with writable(embedded_broker, embedded_topic, tmp_path) as served:
        assert (await served.http.get("/graphql", params={"query": document})).status_code == 405
        with capture_logs() as logs:
            stream = {"accept": "text/event-stream"}
            answered = await served.http.get("/graphql", params={"query": document}, headers=stream)
        assert answered.status_code == 405
        assert not [line for line in logs if line["log_level"] == "error"]
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            answered = await served.http.post("/graphql", content=body, headers={"content-type": kind})
            assert answered.status_code == 415
        assert await served.data('{ value(key: "a") { value } }') == {"value": None}
        answer = (await served.http.post("/graphql", content=body, headers={**_JSON, **stream})).text
        assert '"set":{"cursor"' in answer


async def test_metrics_count_writes_by_outcome(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with writable(embedded_broker, embedded_topic, tmp_path) as served:
        await served.data('mutation { set(key: "a", value: "1") { offset } delete(key: "a") { offset } }')
        metrics = (await served.http.get("/metrics")).text
        assert 'kvs_writes_total{outcome="written",table=""} 2.0' in metrics
        assert 'kvs_writes_in_flight{table=""} 0.0' in metrics
