"""Writes to a real Kafka broker: acknowledged ones are in the log, and the errors of the others are true."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as ws_connect
from websockets.typing import Subprotocol

from kvs_graphql.client import connect
from kvs_graphql.errors import Unavailable
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.produce import produce
from tests.kafka.topics import REQUEST_SECONDS_MAX, wait_until
from tests.kafka.truth import read_truth
from tests.serving import Served, serving

pytestmark = pytest.mark.kafka

# For writes that get no answer from Kafka.
SHORT_WRITE_SECONDS_MAX = 3.0
# For all others: never reached.
WRITE_SECONDS_MAX = 60.0
# A response may take so much longer on a busy machine.
SLACK_SECONDS = 20.0

SET = (
    "mutation ($key: String!, $value: String!) { set(key: $key, value: $value) { partition offset timestamp cursor "
    "entry { value partition offset timestamp } } }"
)
DELETE = "mutation ($key: String!) { delete(key: $key) { partition offset cursor } }"
VALUE = "query ($key: String!, $at: Cursor) { value(key: $key, atLeast: $at) { value partition offset timestamp } }"
UPDATES = "subscription ($after: Cursor) { updates(after: $after) { kind key entry { value } } }"


@asynccontextmanager
async def writable(broker: KafkaBroker, topic: str, directory: Path, **settings: Any) -> AsyncIterator[Served]:
    """A live service that accepts writes."""
    directory.mkdir(exist_ok=True)
    options = {"enable_writes": True, "write_seconds_max": WRITE_SECONDS_MAX, **settings}
    async with serving(broker.bootstrap_servers, topic, directory, **options) as served:
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        yield served


async def error_of(served: Served, document: str, **variables: Any) -> dict[str, Any]:
    """Return the extensions of the only error of a response, which has to come in time."""
    began = monotonic()
    answer = await served.query(document, **variables)
    assert monotonic() - began < SHORT_WRITE_SECONDS_MAX + SLACK_SECONDS
    (error,) = answer["errors"]
    found: dict[str, Any] = error["extensions"]
    return found


async def written(served: Served, key: str, value: str, *but: str) -> dict[str, Any]:
    """Write until it succeeds. Attempts may fail with KAFKA_UNAVAILABLE or one of these codes."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            answer = await served.query(SET, key=key, value=value)
            if "errors" not in answer:
                found: dict[str, Any] = answer["data"]["set"]
                return found
            assert answer["errors"][0]["extensions"]["code"] in {"KAFKA_UNAVAILABLE", *but}


def log_of(broker: KafkaBroker, topic: str) -> dict[bytes, bytes | None]:
    """Return the last value of every key, read independently."""
    return {key: record.value for key, record in read_truth(broker.bootstrap_servers, topic).table.items()}


async def test_each_of_500_writes_is_read_at_once_on_another_replica(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, table: str
) -> None:
    kafka_broker.create_topic(topic, 4)
    async with (
        writable(kafka_broker, topic, tmp_path / "one", table=table) as one,
        writable(kafka_broker, topic, tmp_path / "two", table=table) as two,
    ):
        stale = []
        for number in range(500):
            key, value = f"key-{number % 50}", f"value-{number}"
            write = (await one.data(SET, key=key, value=value))["set"]
            read = (await two.data(VALUE, key=key, at=write["cursor"]))["value"]
            record = {name: write[name] for name in ("partition", "offset", "timestamp")}
            if not read == write["entry"] == {"value": value, **record}:
                stale.append((number, write, read))
        assert stale == []


async def test_delete_writes_a_tombstone_and_a_read_after_it_finds_nothing(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, table: str
) -> None:
    kafka_broker.create_topic(topic, 2)
    async with writable(kafka_broker, topic, tmp_path, table=table) as served:
        await served.data(SET, key="a", value="1")
        deleted = (await served.data(DELETE, key="a"))["delete"]
        assert await served.data(VALUE, key="a", at=deleted["cursor"]) == {"value": None}
    assert log_of(kafka_broker, topic) == {b"a": None}


async def test_delete_reaches_every_partition_that_holds_the_key(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 3)
    for partition in range(3):
        produce(kafka_broker.bootstrap_servers, topic, [(b"a", b"%d" % partition)], partition=partition)
    async with writable(kafka_broker, topic, tmp_path) as served:
        answer = await served.data('mutation { delete(key: "a") { cursor } set(key: "a", value: "new") { cursor } }')
        assert await served.data(VALUE, key="a", at=answer["delete"]["cursor"])
        read = await served.data(VALUE, key="a", at=answer["set"]["cursor"])
        assert read["value"]["value"] == "new"
        ends = await asyncio.to_thread(kafka_broker.end_offsets, topic)
        assert sorted(ends.values()) == [2, 2, 3]
    assert log_of(kafka_broker, topic) == {b"a": b"new"}


async def test_writes_of_one_request_keep_their_order_in_each_partition(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 3)
    fields = [
        f'w{n}: delete(key: "key-{n % 7}") {{ partition offset }}'
        if n % 5 == 4
        else f'w{n}: set(key: "key-{n % 7}", value: "{n}") {{ partition offset }}'
        for n in range(60)
    ]
    async with writable(kafka_broker, topic, tmp_path) as served:
        answer = await served.data(f"mutation {{ {' '.join(fields)} }}")
    ends = [0, 0, 0]
    for number in range(60):
        write = answer[f"w{number}"]
        assert write["offset"] == ends[write["partition"]]
        ends[write["partition"]] += 1
    expected: dict[bytes, bytes | None] = {}
    for number in range(60):
        expected[b"key-%d" % (number % 7)] = None if number % 5 == 4 else b"%d" % number
    assert log_of(kafka_broker, topic) == expected


async def test_write_without_a_broker_fails_in_time_and_never_arrives(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    async with writable(kafka_broker, topic, tmp_path, write_seconds_max=SHORT_WRITE_SECONDS_MAX) as served:
        await written(served, "a", "before", "WRITE_OUTCOME_UNKNOWN")
        await asyncio.to_thread(kafka_broker.kill)
        try:
            # Write before the consumer has noticed, and after.
            assert (await error_of(served, SET, key="a", value="lost"))["code"] == "KAFKA_UNAVAILABLE"
            async with asyncio.timeout(SECONDS_MAX):
                await served.state(State.WAITING_FOR_BROKER)
            error = await error_of(served, SET, key="a", value="lost too")
            assert (error["code"], error["state"]) == ("KAFKA_UNAVAILABLE", "WAITING_FOR_BROKER")
            assert kafka_broker.bootstrap_servers in error["reason"]
        finally:
            await asyncio.to_thread(kafka_broker.start)
        await written(served, "b", "after", "WRITE_OUTCOME_UNKNOWN")
    assert log_of(kafka_broker, topic) == {b"a": b"before", b"b": b"after"}


async def test_write_sent_to_a_hanging_broker_is_unknown_and_found_by_its_cursor(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    limit = {"write_seconds_max": SHORT_WRITE_SECONDS_MAX}
    async with writable(kafka_broker, topic, tmp_path, **limit) as served, connect(served.run.url) as client:
        await written(served, "a", "before", "WRITE_OUTCOME_UNKNOWN")
        kafka_broker.pause()
        try:
            sending = asyncio.create_task(error_of(served, SET, key="a", value="sent"))
            await _accepted(served.http, 1)
            queued = await error_of(served, SET, key="queued", value="behind it")
            sent = await sending
        finally:
            kafka_broker.resume()
        assert sent["code"] == "WRITE_OUTCOME_UNKNOWN"
        assert queued["code"] == "KAFKA_UNAVAILABLE"
        await written(served, "last", "after", "WRITE_OUTCOME_UNKNOWN")
        updates = client.subscribe(UPDATES, {"after": sent["cursor"]})
        seen = []
        async with asyncio.timeout(SECONDS_MAX):
            async for data in updates:
                if data["updates"]["kind"] == "SET":
                    seen.append((data["updates"]["key"], data["updates"]["entry"]["value"]))
                if seen[-1:] == [("last", "after")]:
                    break
        assert [update for update in seen if update[1] != "before"] == [("a", "sent"), ("last", "after")]
    assert b"queued" not in log_of(kafka_broker, topic)


async def test_write_to_a_missing_topic_is_unavailable(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path, enable_writes=True) as served:
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.WAITING_FOR_TOPIC)
        error = await error_of(served, SET, key="a", value="1")
        assert (error["code"], error["state"]) == ("KAFKA_UNAVAILABLE", "WAITING_FOR_TOPIC")
        assert topic in error["reason"]


async def test_write_to_a_deleted_topic_is_unavailable(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    kafka_broker.create_topic(topic, 1)
    async with writable(kafka_broker, topic, tmp_path, write_seconds_max=SHORT_WRITE_SECONDS_MAX) as served:
        await written(served, "a", "1", "WRITE_OUTCOME_UNKNOWN")
        kafka_broker.delete_topic(topic)
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.WAITING_FOR_TOPIC)
        error = await error_of(served, SET, key="a", value="2")
        assert (error["code"], error["state"]) == ("KAFKA_UNAVAILABLE", "WAITING_FOR_TOPIC")


async def test_writes_go_to_a_recreated_topic(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    kafka_broker.create_topic(topic, 3)
    # A write may wait as long for a partition that no longer exists.
    async with writable(kafka_broker, topic, tmp_path, write_seconds_max=20) as served:
        for number in range(5):
            await served.data(SET, key="a", value=f"{number}")
        kafka_broker.delete_topic(topic)
        kafka_broker.create_topic(topic, 1)
        # Until the service notices, a write may go to a partition that no longer exists, and get no answer.
        write = await written(served, "a", "new", "WRITE_OUTCOME_UNKNOWN")
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.LIVE)
        assert write["offset"] == 0
        assert log_of(kafka_broker, topic) == {b"a": b"new"}


async def test_record_too_large_for_the_topic_is_refused_alone(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1, max_message_bytes="20000")
    sizes = [10, 30_000, 10, 19_000, 19_000, 15_000, 30_000, 10]
    values = {f"v{n}": "x" * size for n, size in enumerate(sizes)}
    declared = " ".join(f"${name}: String!" for name in values)
    fields = " ".join(f'w{n}: set(key: "{n}", value: $v{n}) {{ offset }}' for n in range(len(sizes)))
    async with writable(kafka_broker, topic, tmp_path) as served:
        answer = await served.query(f"mutation({declared}) {{ {fields} }}", **values)
        refused = {error["path"][0]: error["extensions"]["code"] for error in answer["errors"]}
        assert refused == {"w1": "VALUE_TOO_LARGE", "w6": "VALUE_TOO_LARGE"}
        offsets = [answer["data"][f"w{n}"]["offset"] for n in (0, 2, 3, 4, 5, 7)]
        assert offsets == [0, 1, 2, 3, 4, 5]
        assert (await served.data(SET, key="next", value="1"))["set"]["offset"] == 6


async def test_write_without_permission_is_forbidden(topic: str, tmp_path: Path, kafka_broker: KafkaBroker) -> None:
    assert kafka_broker.running
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    broker = KafkaBroker(tmp_path / "broker", settings)
    await asyncio.to_thread(broker.start)
    try:
        broker.create_topic(topic, 1)
        async with writable(broker, topic, tmp_path / "service") as served:
            await served.data(SET, key="a", value="before")
            await asyncio.to_thread(_forbid_writing, broker, topic)
            assert (await error_of(served, SET, key="a", value="2"))["code"] == "FORBIDDEN"
            assert (await error_of(served, SET, key="a", value="3"))["code"] == "FORBIDDEN"
            assert (await served.data(VALUE, key="a"))["value"]["value"] == "before"
    finally:
        await asyncio.to_thread(broker.stop)


async def test_sigterm_flushes_and_answers_accepted_writes(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 2)
    environment = {
        "KVS_BOOTSTRAP_SERVERS": kafka_broker.bootstrap_servers,
        "KVS_TOPIC": topic,
        "KVS_DATABASE": str(tmp_path / "kvs.db"),
        "KVS_PORT": "0",
        "KVS_ENABLE_WRITES": "true",
        "KVS_SHUTDOWN_SECONDS_MAX": "20",
        "KVS_WRITE_SECONDS_MAX": "60",
    }
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kvs_graphql", "serve", env=os.environ | environment, stderr=PIPE
    )
    try:
        url = await _url(service)
        many = httpx.Limits(max_connections=300)
        async with httpx.AsyncClient(base_url=url, timeout=SECONDS_MAX, limits=many) as http:
            await _ready(http)
            assert await _set(http, "first", "1")
            # The broker hangs until the service is asked to stop, so all writes wait in the service.
            kafka_broker.pause()
            writes = [asyncio.create_task(_set(http, f"key-{n}", f"{n}")) for n in range(200)]
            await _accepted(http, len(writes))
            service.send_signal(signal.SIGTERM)
            kafka_broker.resume()
            acknowledged = await asyncio.gather(*writes)
        assert await service.wait() == 0
    finally:
        kafka_broker.resume()
        if service.returncode is None:
            service.kill()
        await service.communicate()
    assert all(acknowledged)
    assert log_of(kafka_broker, topic) == {b"first": b"1"} | {b"key-%d" % n: b"%d" % n for n in range(200)}


async def test_stop_flushes_writes_of_websockets_before_it_closes_them(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    async with writable(kafka_broker, topic, tmp_path, shutdown_seconds_max=20) as served, _socket(served) as socket:
        await served.data(SET, key="a", value="before")
        kafka_broker.pause()
        try:
            for accepted, key in enumerate(("sent", "queued"), start=1):
                request = {"query": SET, "variables": {"key": key, "value": "1"}}
                await socket.send(json.dumps({"id": key, "type": "subscribe", "payload": request}))
                await _accepted(served.http, accepted)
            served.run.stop()
            with pytest.raises(Unavailable):
                await served.run.unit().feed.rest(30)
        finally:
            kafka_broker.resume()
        async with asyncio.timeout(SECONDS_MAX):
            await socket.wait_closed()
        assert socket.close_code == 1001
    assert set(log_of(kafka_broker, topic)) == {b"a", b"sent", b"queued"}


async def test_stop_takes_bounded_time_while_the_broker_hangs(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    kafka_broker.create_topic(topic, 1)
    try:
        async with writable(kafka_broker, topic, tmp_path) as served:
            await served.data(SET, key="a", value="before")
            kafka_broker.pause()
            writes = [asyncio.create_task(served.query(SET, key=key, value="1")) for key in ("a", "b")]
            await _accepted(served.http, 2)
            began = monotonic()
        assert monotonic() - began < 30
        await asyncio.gather(*writes, return_exceptions=True)
    finally:
        kafka_broker.resume()


@asynccontextmanager
async def _socket(served: Served) -> AsyncIterator[ClientConnection]:
    url = served.run.url.replace("http", "ws") + "/graphql"
    async with ws_connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send('{"type": "connection_init"}')
        await socket.recv()
        yield socket


async def _set(http: httpx.AsyncClient, key: str, value: str) -> bool:
    response = await http.post("/graphql", json={"query": SET, "variables": {"key": key, "value": value}})
    return "errors" not in response.json()


async def _accepted(http: httpx.AsyncClient, number: int) -> None:
    """Return once so many writes are under way."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            if f'kvs_writes_in_flight{{table=""}} {float(number)}' in (await http.get("/metrics")).text:
                return


async def _ready(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            if (await http.get("/readyz")).status_code == 200:
                return


async def _url(service: asyncio.subprocess.Process) -> str:
    assert service.stderr is not None
    async with asyncio.timeout(SECONDS_MAX):
        while b"serves topic" not in (line := await service.stderr.readline()):
            assert line, "the service ended"
    return line.decode().split()[-1].removesuffix("/graphql")


def _forbid_writing(broker: KafkaBroker, topic: str) -> None:
    def rule(operation: AclOperation, permission: AclPermissionType) -> AclBinding:
        return AclBinding(
            ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation, permission
        )

    rules = [
        rule(AclOperation.WRITE, AclPermissionType.DENY),
        rule(AclOperation.READ, AclPermissionType.ALLOW),
        rule(AclOperation.DESCRIBE, AclPermissionType.ALLOW),
        rule(AclOperation.DESCRIBE_CONFIGS, AclPermissionType.ALLOW),
    ]
    with AdminClient({"bootstrap.servers": broker.bootstrap_servers}) as admin:
        for future in admin.create_acls(rules).values():
            future.result(REQUEST_SECONDS_MAX)
        # The broker learns of them a little later.
        every = (None, None, AclOperation.ANY, AclPermissionType.ANY)
        wanted = AclBindingFilter(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, *every)
        wait_until(lambda: len(admin.describe_acls(wanted).result(REQUEST_SECONDS_MAX)) == len(rules), "the new rights")
