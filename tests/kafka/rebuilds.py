"""Tables that are served and rebuilt, and what their clients see of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.client import Client, connect
from kvs_graphql.kafka.consumer_session import ConsumerSession, open_session
from kvs_graphql.state import Moment, State
from tests.deadline import SECONDS_MAX
from tests.kafka.broker import COMPACTING, KafkaBroker
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import produce
from tests.kafka.truth import read_truth
from tests.named import of_table
from tests.serving import Served, serving

BRIEF = {**COMPACTING, "delete.retention.ms": "500"}
"""The settings of a topic that soon forgets its tombstones."""
AT_LEAST = """query ($cursor: Cursor!) {
  old: value(key: "old", atLeast: $cursor) { value }
  new: value(key: "new") { value }
}"""


def states_of(served: Served) -> list[Moment]:
    """Return a list that collects every state from now on."""
    moments: list[Moment] = []
    served.unit.lifecycle.listen(moments.append)
    return moments


async def first_update_after(client: Client, cursor: str, table: str = "") -> str:
    """Return the kind of the first update of a subscription."""
    document = of_table("subscription ($cursor: Cursor!) { updates(after: $cursor) { kind } }", table)
    async with aclosing(client.subscribe(document, {"cursor": cursor})) as events:
        kind: str = (await anext(events))["updates"]["kind"]
        return kind


async def served_once(broker: KafkaBroker, topic: str, directory: Path, records: list[tuple[bytes, bytes]]) -> None:
    """Produce records, and leave a database that has caught up with them."""
    produce(broker.bootstrap_servers, topic, records)
    async with serving(broker.bootstrap_servers, topic, directory) as served:
        await served.state(State.LIVE)
        await assert_equal_to_the_log(served, broker, topic)


async def until_live(events: AsyncIterator[Any]) -> dict[str, str]:
    """Return the table that a snapshot adds up to."""
    held: dict[str, str] = {}
    while (update := (await anext(events))["updates"])["kind"] != "LIVE":
        held[update["key"]] = update["entry"]["value"]
    return held


async def assert_rebuilt(
    served: Served, broker: KafkaBroker, topic: str, moments: list[Moment], why: str
) -> set[bytes]:
    """Assert that the table equals the log after a rebuild for that reason; return its keys."""
    async with asyncio.timeout(SECONDS_MAX):
        await served.state(State.LIVE)
        truth = await assert_equal_to_the_log(served, broker, topic)
    assert any(m.state is State.REBUILDING and why in m.reason for m in moments)
    return set(truth.live)


async def assert_clients_are_reset(
    broker: KafkaBroker,
    topic: str,
    directory: Path,
    cut_short: Callable[[], None],
    *,
    before: dict[str, str],
    after: dict[str, str],
    table: str = "",
) -> None:
    """Assert that open and returning clients are reset when `cut_short` cuts a log and lets it grow again."""
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving(broker.bootstrap_servers, topic, directory, table=table) as served,
        connect(served.run.url) as client,
    ):
        await served.state(State.LIVE)
        cursor = (await served.query("{ status { entries } }"))["extensions"]["cursor"]
        snapshot = served.named("subscription { updates(snapshot: true) { kind key entry { value } } }")
        async with aclosing(client.subscribe(snapshot)) as events:
            assert await until_live(events) == before
            await asyncio.to_thread(cut_short)
            assert (await anext(events))["updates"]["kind"] == "RESET"
            held = await until_live(events)
            while len(held) < len(after):
                update = (await anext(events))["updates"]
                held[update["key"]] = update["entry"]["value"]
        assert held == after
        await assert_equal_to_the_log(served, broker, topic)
        assert await first_update_after(client, cursor, table) == "RESET"
        assert await served.code(AT_LEAST, cursor=cursor) == "BAD_CURSOR"
        cursor = (await served.query("{ status { entries } }"))["extensions"]["cursor"]
        assert await first_update_after(client, cursor, table) == "LIVE"


def sessions_of(monkeypatch: pytest.MonkeyPatch) -> list[ConsumerSession]:
    """Return a list that collects every session of a consumer from now on."""
    sessions: list[ConsumerSession] = []

    @asynccontextmanager
    async def recorded(*arguments: Any, **options: Any) -> AsyncIterator[ConsumerSession]:
        async with open_session(*arguments, **options) as session:
            sessions.append(session)
            yield session

    monkeypatch.setattr("kvs_graphql.kafka.consumer.open_session", recorded)
    return sessions


async def forget_tombstones(broker: KafkaBroker, topic: str) -> None:
    """Compact until the log has no tombstone: the first pass stamps them with a time, a later one drops them."""
    async with asyncio.timeout(SECONDS_MAX):
        while _tombstones(broker, topic):
            await asyncio.to_thread(broker.compact, topic)


def _tombstones(broker: KafkaBroker, topic: str) -> int:
    return sum(last.value is None for last in read_truth(broker.bootstrap_servers, topic).table.values())
