"""A table in trouble hinders no other, on a real broker."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from kvs_graphql.errors import BrokerRefused
from kvs_graphql.state import Moment, State
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.kafka.broker import KafkaBroker
from tests.kafka.damage import append_unreadable
from tests.kafka.produce import produce
from tests.kafka.replica import replica
from tests.kafka.secured import PASSWORD, USER, SecuredBroker
from tests.kafka.test_trouble import until_failed, until_not_ready, until_ready
from tests.preflight.test_configuration import configured
from tests.serving import Served, nothing_applied, serving, serving_tables
from tests.tables.served import assert_equal_to_the_logs, put, value, watching

pytestmark = pytest.mark.kafka

MIB = 2**20
TABLES = ("orders", "customers", "invoices")
RIGHTS = (AclOperation.DESCRIBE, AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE_CONFIGS)
LOGIN = {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_username": USER, "kafka_password": PASSWORD}


def writable(topics: dict[str, str], **own: Any) -> dict[str, dict[str, Any]]:
    """The settings of tables that take writes."""
    return {table: {"topic": topic, "writes": True, **own} for table, topic in topics.items()}


async def live(served: Served, *tables: str) -> None:
    """Return once these tables are live."""
    async with asyncio.timeout(SECONDS_MAX):
        for table in tables:
            await served.state(State.LIVE, table)


async def cursor_of_all(served: Served) -> str:
    """The cursor of a request that reads every table."""
    cursor: str = (await served.query("{ status { entries } }"))["extensions"]["cursor"]
    return cursor


async def assert_works(served: Served, table: str, events: AsyncIterator[dict[str, Any]], text: str) -> None:
    """Assert that a write to a table is read at its cursor, and reaches the watcher."""
    assert await value(served, table, "k", await put(served, table, "k", text)) == text
    async with asyncio.timeout(SECONDS_MAX):
        async for update in events:
            if update["kind"] == "SET":
                break
    assert (update["key"], update["entry"]["value"]) == ("k", text)


async def test_right_taken_from_one_table_hinders_no_other_and_is_used_again_when_it_is_back(
    secured_broker: SecuredBroker, topic: str, tmp_path: Path
) -> None:
    topics = {table: f"{topic}-{table}" for table in TABLES}
    for name in topics.values():
        await asyncio.to_thread(secured_broker.create_topic, name, 2, cleanup_policy="compact")
        await asyncio.to_thread(secured_broker.allow, name, *RIGHTS)
        produce(secured_broker.bootstrap_servers, name, [(b"a", b"1")])
    async with AsyncExitStack() as stack:
        logged = stack.enter_context(capture_logs(processors=[merge_contextvars]))
        served = await stack.enter_async_context(
            serving_tables(secured_broker.sasl_servers, writable(topics), tmp_path, **LOGIN)
        )
        await live(served, *TABLES)
        await until_ready(served.http)
        before = await cursor_of_all(served)
        watched = {table: await stack.enter_async_context(watching(served, table, before)) for table in TABLES}
        await asyncio.to_thread(secured_broker.revoke, topics["orders"], AclOperation.READ)
        async with asyncio.timeout(SECONDS_MAX):
            await served.reason("no access", "orders")
        moments = list[Moment]()
        served.run.unit("orders").lifecycle.listen(moments.append)
        # Only now: a fetch that was under way when the right was taken away would still bring these.
        produce(secured_broker.bootstrap_servers, topics["orders"], [(b"k", b"missed")])
        for n in range(3):
            for table in TABLES[1:]:
                await assert_works(served, table, watched[table], f"{n}")
        assert await value(served, "orders", "a") == "1"
        assert await value(served, "orders", "k") is None
        readyz = await until_not_ready(served.http)
        assert {table: shown["ready"] for table, shown in readyz["tables"].items()} == {
            "orders": False,
            "customers": True,
            "invoices": True,
        }
        await until_failed(lambda: logged, 3)
        lacking = f"lacks rights on topic '{topics['orders']}'"
        # An attempt changes nothing as long as it may fail as the last one did.
        assert [(moment.state, lacking in moment.reason) for moment in moments] == [(State.WAITING_FOR_BROKER, True)]
        status = (await served.data("{ status { ready state tables { name ready state reason } } }"))["status"]
        assert (status["ready"], status["state"]) == (False, "WAITING_FOR_BROKER")
        assert [(one["name"], one["ready"]) for one in status["tables"]] == [
            (table, table != "orders") for table in TABLES
        ]
        metrics = (await served.http.get("/metrics")).text
        for table in TABLES:
            assert f'kvs_table_ready{{table="{table}"}} {float(table != "orders")}' in metrics
        assert {line.get("table") for line in logged if line["event"] == "session failed"} == {"orders"}
        refused = [line for line in logged if line["event"] == "state" and "no access" in line["reason"]]
        assert {line["table"] for line in refused} == {"orders"}
        await asyncio.to_thread(secured_broker.allow, topics["orders"], AclOperation.READ)
        await until_ready(served.http)
        async with asyncio.timeout(SECONDS_MAX):
            async for update in watched["orders"]:
                if update["kind"] == "SET":
                    break
        assert (update["key"], update["entry"]["value"]) == ("k", "missed")
        await assert_equal_to_the_logs(served, secured_broker, topics)


async def test_table_forbidden_at_the_start_waits_for_its_right_beside_the_others(
    secured_broker: SecuredBroker, topic: str, tmp_path: Path
) -> None:
    topics = {table: f"{topic}-{table}" for table in TABLES[:2]}
    for name in topics.values():
        await asyncio.to_thread(secured_broker.create_topic, name, 1, cleanup_policy="compact")
        produce(secured_broker.bootstrap_servers, name, [(b"a", b"1")])
    tables = {table: {"topic": name} for table, name in topics.items()}
    with pytest.raises(BrokerRefused, match="lacks rights"):
        async with serving_tables(secured_broker.sasl_servers, tables, tmp_path, **LOGIN) as served:
            async with asyncio.timeout(SECONDS_MAX):
                await served.run.wait()
    await asyncio.to_thread(secured_broker.allow, topics["customers"], *RIGHTS)
    async with serving_tables(secured_broker.sasl_servers, tables, tmp_path, **LOGIN) as served:
        await live(served, "customers")
        async with asyncio.timeout(SECONDS_MAX):
            await served.reason("lacks rights", "orders")
        assert served.run.unit("orders").lifecycle.moment.state is State.WAITING_FOR_BROKER
        assert (await until_not_ready(served.http))["tables"]["orders"]["state"] == "WAITING_FOR_BROKER"
        await asyncio.to_thread(secured_broker.allow, topics["orders"], *RIGHTS)
        await until_ready(served.http)
        await assert_equal_to_the_logs(served, secured_broker, topics)


@pytest.mark.parametrize("required", [True, False])
async def test_unreadable_record_stops_its_table_alone(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, *, required: bool
) -> None:
    topics = {table: f"{topic}-{table}" for table in TABLES}
    for name in topics.values():
        await asyncio.to_thread(kafka_broker.create_topic, name, 1)
    for table in ("orders", "invoices"):
        produce(kafka_broker.bootstrap_servers, topics[table], [(b"a", b"1")])
        await asyncio.to_thread(append_unreadable, kafka_broker, topics[table])
    tables = writable(topics)
    tables["orders"]["required"] = required
    tables["invoices"]["unreadable"] = "skip"
    async with AsyncExitStack() as stack:
        logged = stack.enter_context(capture_logs(processors=[merge_contextvars]))
        served = await stack.enter_async_context(
            serving_tables(kafka_broker.bootstrap_servers, tables, tmp_path, write_seconds_max=NEVER_SECONDS)
        )
        await live(served, "customers", "invoices")
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.STOPPED, "orders")
        events = await stack.enter_async_context(watching(served, "customers", await cursor_of_all(served)))
        await assert_works(served, "customers", events, "1")
        readyz = await served.http.get("/readyz")
        shown = readyz.json()["tables"]
        assert (readyz.status_code, shown["customers"]["ready"]) == (503 if required else 200, True)
        assert (shown["orders"]["ready"], shown["orders"]["state"]) == (False, "STOPPED")
        assert f"topic '{topics['orders']}', partition 0, offset 1" in shown["orders"]["reason"]
        assert await value(served, "orders", "a") == "1"
        refused = 'mutation { ordersSet(key: "a", value: "1") { offset } }'
        (error,) = (await served.query(refused))["errors"]
        assert (error["extensions"]["code"], error["extensions"]["state"]) == ("UNAVAILABLE", "STOPPED")
        assert shown["orders"]["reason"] in error["message"]
        assert not served.run.stopping
        metrics = (await served.http.get("/metrics")).text
        assert 'kvs_state{state="STOPPED",table="orders"} 1.0' in metrics
        assert [line["table"] for line in logged if line["event"] == "stopped"] == ["orders"]


async def test_unreadable_record_stops_a_live_table_and_not_the_service(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    await asyncio.to_thread(kafka_broker.create_topic, topic, 1)
    produce(kafka_broker.bootstrap_servers, topic, [(b"k0", b"1")])
    async with serving(kafka_broker.bootstrap_servers, topic, tmp_path) as served:
        await live(served, "")
        await asyncio.to_thread(append_unreadable, kafka_broker, topic)
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.STOPPED)
        assert (await until_not_ready(served.http))["state"] == "STOPPED"
        assert await served.data('{ value(key: "k0") { value } }') == {"value": {"value": "1"}}
        assert served.run.failure is None
        assert not served.run.stopping


async def test_rebuild_of_a_table_hinders_no_other(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    """A topic is deleted and created again; its cursor's part is reset, and those of the others hold."""
    topics = {table: f"{topic}-{table}" for table in TABLES}
    for name in topics.values():
        await asyncio.to_thread(kafka_broker.create_topic, name, 2)
        produce(kafka_broker.bootstrap_servers, name, [(b"a", b"1"), (b"b", b"1")])
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(
            serving_tables(kafka_broker.bootstrap_servers, writable(topics), tmp_path)
        )
        await live(served, *TABLES)
        await assert_equal_to_the_logs(served, kafka_broker, topics)
        before = await cursor_of_all(served)
        others = {table: await stack.enter_async_context(watching(served, table, before)) for table in TABLES[1:]}
        await asyncio.to_thread(kafka_broker.delete_topic, topics["orders"])
        async with asyncio.timeout(SECONDS_MAX):
            await served.state(State.WAITING_FOR_TOPIC, "orders")
        for table, events in others.items():
            await assert_works(served, table, events, "while it is missing")
        with ExitStack() as locked:

            def lock(moment: Moment) -> None:
                if moment.state is State.REBUILDING and "waiting" not in moment.reason:
                    locked.enter_context(nothing_applied(tmp_path / "tables", "orders.db"))

            served.run.unit("orders").lifecycle.listen(lock)
            await asyncio.to_thread(kafka_broker.create_topic, topics["orders"], 2)
            produce(kafka_broker.bootstrap_servers, topics["orders"], [(b"a", b"2")])
            async with asyncio.timeout(SECONDS_MAX):
                await served.reason("waiting: The database cannot be replaced", "orders")
            for table, events in others.items():
                await assert_works(served, table, events, "while it is rebuilt")
            shown = (await until_not_ready(served.http))["tables"]
            assert {table: shown[table]["state"] for table in TABLES} == dict.fromkeys(TABLES, "LIVE") | {
                "orders": "REBUILDING"
            }
            assert await value(served, "orders", "a") == "1"
        await live(served, "orders")
        await assert_equal_to_the_logs(served, kafka_broker, topics)
        assert await value(served, "orders", "b") is None
        async with asyncio.timeout(SECONDS_MAX):
            events = await stack.enter_async_context(watching(served, "orders", before))
            assert (await anext(events))["kind"] == "RESET"
            for table in TABLES[1:]:
                events = await stack.enter_async_context(watching(served, table, before))
                kinds = [(await anext(events))["kind"] for _ in range(3)]
                assert kinds == ["SET", "SET", "LIVE"]
        at_least = 'query($at: Cursor) { found: %sValue(key: "a", atLeast: $at) { value } }'
        assert await served.code(at_least % "orders", at=before) == "BAD_CURSOR"
        for table in TABLES[1:]:
            assert await served.data(at_least % table, at=before) == {"found": {"value": "1"}}


async def test_full_disk_of_a_table_hinders_no_other(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    servers, topics = kafka_broker.bootstrap_servers, {table: f"{topic}-{table}" for table in TABLES[:2]}
    for name in topics.values():
        await asyncio.to_thread(kafka_broker.create_topic, name, 1)
        produce(servers, name, [(b"a", b"1")])
    file = configured(
        tmp_path, servers, **{table: f'topic = "{name}"\nwrites = true' for table, name in topics.items()}
    )
    async with replica(servers, topic, tmp_path, config=file) as service, asyncio.timeout(SECONDS_MAX):
        await until_ready(service.http)
        # Files of the process may grow to this size: one batch of the first table is larger, and the rest of all fits.
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (2 * MIB, resource.RLIM_INFINITY))
        produce(servers, topics["orders"], [(b"b%d" % n, bytes(100_000)) for n in range(40)])
        readyz = await until_not_ready(service.http)
        assert "cannot be written" in readyz["tables"]["orders"]["reason"]
        assert readyz["tables"]["customers"]["ready"]
        assert await service.data('{ ordersValue(key: "a") { value } }') == {"ordersValue": {"value": "1"}}
        write = 'mutation($v: String!) { customersSet(key: "a", value: $v) { cursor } }'
        read = 'query($at: Cursor!) { customersValue(key: "a", atLeast: $at) { value } }'
        for n in range(3):
            at = (await service.data(write, v=f"{n}"))["customersSet"]["cursor"]
            assert await service.data(read, at=at) == {"customersValue": {"value": f"{n}"}}
        assert not (await until_not_ready(service.http))["tables"]["orders"]["ready"]
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await until_ready(service.http)
        assert await service.data('{ ordersValue(key: "b39") { size } }') == {"ordersValue": {"size": 100_000}}


async def test_table_that_cannot_be_written_hinders_no_other(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    topics = {table: f"{topic}-{table}" for table in TABLES[:2]}
    for name in topics.values():
        await asyncio.to_thread(kafka_broker.create_topic, name, 1)
    async with serving_tables(kafka_broker.bootstrap_servers, writable(topics), tmp_path) as served:
        await live(served, *topics)
        async with watching(served, "customers", await cursor_of_all(served)) as events:
            with nothing_applied(tmp_path / "tables", "orders.db"):
                produce(kafka_broker.bootstrap_servers, topics["orders"], [(b"a", b"1")])
                readyz = await until_not_ready(served.http)
                assert "locked" in readyz["tables"]["orders"]["reason"]
                await assert_works(served, "customers", events, "1")
        await until_ready(served.http)
        await assert_equal_to_the_logs(served, kafka_broker, topics)
