"""What an orchestrator and a monitoring system see, from a start without Kafka to the stop."""

import asyncio
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from kvs_graphql.cursor import Cursor
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.serving import Pair, Served, serving, serving_topic, write
from tests.transports import SSE, UPDATES, WEBSOCKET, open_socket, receive, subscribe, take, until_active

RECORDS: list[Pair] = [(b"a", b"1"), (None, b"skipped"), (b"b", None)]


async def ready(served: Served) -> tuple[int, dict[str, object]]:
    answer = await served.http.get("/readyz")
    return answer.status_code, answer.json()


async def metrics(served: Served) -> dict[str, float]:
    """Return every sample by its name and labels."""
    lines = (await served.http.get("/metrics")).text.splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


async def test_service_is_alive_at_once_and_ready_once_it_has_caught_up(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    servers, topic = embedded_broker.bootstrap_servers, f"late-{tmp_path.name}"
    async with serving(servers, topic, tmp_path) as served:
        await served.state(State.WAITING_FOR_TOPIC)
        alive = await served.http.get("/healthz")
        assert (alive.status_code, alive.text) == (200, "ok\n")
        status, body = await ready(served)
        assert (status, body["ready"], body["state"]) == (503, False, "WAITING_FOR_TOPIC")
        assert body["reason"] == f"topic '{topic}' does not exist"
        assert (await metrics(served))['kvs_state{state="WAITING_FOR_TOPIC",table=""}'] == 1
        embedded_broker.create_topic(topic)
        await served.state(State.LIVE)
        await served.applied(await write(servers, topic, RECORDS))
        status, body = await ready(served)
        assert (status, body["ready"], body["state"], body["lag"]) == (200, True, "LIVE", 0)
        assert (await metrics(served))["kvs_ready"] == 1


async def test_service_without_a_broker_answers_and_says_what_it_waits_for(tmp_path: Path) -> None:
    async with asyncio.timeout(SECONDS_MAX), serving("127.0.0.1:1", "topic", tmp_path) as served:
        await served.state(State.WAITING_FOR_BROKER)
        status, body = await ready(served)
        assert (status, body["ready"], body["state"]) == (503, False, "WAITING_FOR_BROKER")
        assert str(body["reason"]).startswith("127.0.0.1:1: ")
        assert await served.data('{ value(key: "a") { value } status { ready state entries } }') == {
            "value": None,
            "status": {"ready": False, "state": "WAITING_FOR_BROKER", "entries": 0},
        }


async def test_reads_survive_a_broker_outage_and_catch_up_afterwards(tmp_path: Path) -> None:
    async with EmbeddedBroker() as broker, serving_topic(broker, tmp_path, (b"a", b"1")) as topic:
        broker.go_down()
        await topic.served.state(State.WAITING_FOR_BROKER)
        status, body = await ready(topic.served)
        assert (status, body["state"]) == (200, "WAITING_FOR_BROKER")
        assert await topic.served.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}
        broker.come_up()
        await topic.served.state(State.LIVE)
        await topic.write((b"a", b"2"))
        assert await topic.served.data('{ value(key: "a") { value } }') == {"value": {"value": "2"}}


async def test_cursor_ahead_of_a_service_is_validated_once_its_broker_returns(tmp_path: Path) -> None:
    async with EmbeddedBroker() as broker, serving_topic(broker, tmp_path, (b"a", b"1")) as topic:
        broker.go_down()
        await topic.served.state(State.WAITING_FOR_BROKER)
        past = Cursor(topic.served.run.unit().feed.topic_id, (2,)).encode()
        async with WEBSOCKET(topic.served, UPDATES, after=past) as results:
            await until_active(topic.served.http, 1)
            broker.come_up()
            assert [update["kind"] for update in await take(results, 3)] == ["RESET", "SNAPSHOT", "LIVE"]


async def test_metrics_count_records_and_errors(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with serving_topic(embedded_broker, tmp_path, *RECORDS) as topic:
        await topic.served.query("{ nothing }")
        answer = await topic.served.http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        found = await metrics(topic.served)
        assert found['kvs_records_skipped_total{reason="no_key",table=""}'] == 1
        assert found['kvs_records_applied_total{table=""}'] == 2
        assert found['kvs_consumer_lag{partition="0",table=""}'] == 0
        assert found['kvs_errors_total{code="GRAPHQL_VALIDATION_FAILED"}'] == 1
        assert [name for name in found if not name.startswith(("kvs_", "process_", "python_"))] == []


async def test_stopping_service_cuts_event_streams_off_at_once(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, shutdown_seconds_max=3_600) as topic,
        SSE(topic.served, UPDATES, progress=True) as results,
    ):
        await take(results, 1)
        topic.served.run.stop()
        assert [result async for result in results] == []
        await topic.served.run.wait()


async def test_stopping_service_closes_websockets_at_once_without_an_error(
    embedded_broker: EmbeddedBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_topic(embedded_broker, tmp_path, shutdown_seconds_max=3_600) as topic:
        with pytest.raises(ConnectionClosed) as closed:
            async with open_socket(topic.served) as socket:
                await subscribe(socket, "1", "subscription { updates(progress: true) { kind } }")
                await receive(socket)
                topic.served.run.stop()
                while True:
                    await socket.recv()
        await topic.served.run.wait()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
