"""Live queries and history: the latest state pushed, and what led to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.client import connect
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.errors import RemoteError
from kvs_graphql.records import Positions
from tests.serving import Served, serving, write


class Topic:
    """A service and its topic."""

    def __init__(self, served: Served, servers: str, name: str) -> None:
        self.served = served
        self._servers = servers
        self._name = name

    async def write(self, *records: tuple[bytes, bytes | None]) -> Positions:
        positions = await write(self._servers, self._name, records)
        await self.served.applied(positions)
        return positions


@pytest.fixture
async def topic(embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path) -> AsyncIterator[Topic]:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served:
        yield Topic(served, servers, embedded_topic)


@asynccontextmanager
async def watching(topic: Topic, document: str) -> AsyncIterator[AsyncIterator[Any]]:
    async with (
        asyncio.timeout(20),
        connect(topic.served.run.url) as client,
        aclosing(client.subscribe(document)) as events,  # type: ignore[type-var]
    ):
        yield events


async def test_a_live_value_is_pushed_now_and_whenever_it_changes(topic: Topic) -> None:
    async with watching(topic, 'subscription { value(key: "a") { value } }') as events:
        assert await anext(events) == {"value": None}
        await topic.write((b"a", b"1"))
        assert await anext(events) == {"value": {"value": "1"}}
        await topic.write((b"b", b"another key"), (b"a", None))
        assert await anext(events) == {"value": None}


async def test_live_values_come_in_the_order_of_the_keys_and_end_at_the_latest(topic: Topic) -> None:
    await topic.write((b"a", b"1"), (b"b", b"1"))
    async with watching(topic, 'subscription { values(keys: ["b", "none", "a"], interval: 0.1) { value } }') as events:
        assert await anext(events) == {"values": [{"value": "1"}, None, {"value": "1"}]}
        await topic.write(*((b"a", b"%d" % n) for n in range(200)))
        last = {"values": [{"value": "1"}, None, {"value": "199"}]}
        seen = 1
        while await anext(events) != last:
            seen += 1
        assert seen < 100, "conflated: far fewer pushes than changes"


async def test_an_interval_shorter_than_allowed_is_bad_input(topic: Topic) -> None:
    for field in ('values(keys: ["a"], interval: 0.01) { value }', "status(interval: 0.01) { lag }"):
        async with watching(topic, f"subscription {{ {field} }}") as events:
            with pytest.raises(RemoteError) as refused:
                await anext(events)
            assert refused.value.remote_code == "BAD_INPUT"


async def test_status_is_pushed_again_and_again(topic: Topic) -> None:
    async with watching(topic, "subscription { status(interval: 0.1) { state entries } }") as events:
        while (await anext(events))["status"]["state"] != "LIVE":
            pass
        await topic.write((b"a", b"1"))
        while (await anext(events))["status"]["entries"] != 1:
            pass


_HISTORY = """
query History($last: Int! = 10) {
  values(keys: ["a", "b"]) { history(last: $last) { kind entry { value } key partition offset } }
}
"""


async def test_history_tells_recent_changes_oldest_first_deletes_included(topic: Topic) -> None:
    await topic.write((b"a", b"1"), (b"b", b"x"), (b"a", None), (b"a", b"3"))
    a, b = (await topic.served.data(_HISTORY))["values"]
    assert [(u["kind"], u["entry"] and u["entry"]["value"]) for u in a["history"]] == [
        ("SET", "1"),
        ("DELETE", None),
        ("SET", "3"),
    ]
    assert [u["entry"]["value"] for u in b["history"]] == ["x"]
    a, b = (await topic.served.data(_HISTORY, last=1))["values"]
    assert [u["entry"]["value"] for u in a["history"]] == ["3"]
    a, b = (await topic.served.data(_HISTORY, last=0))["values"]
    assert (a["history"], b["history"]) == ([], [])


async def test_more_history_than_allowed_is_bad_input(topic: Topic) -> None:
    await topic.write((b"a", b"1"))
    assert await topic.served.code('{ value(key: "a") { history(last: 1001) { kind } } }') == "BAD_INPUT"
    assert await topic.served.code('{ value(key: "a") { history(last: -1) { kind } } }') == "BAD_INPUT"


async def test_history_reaches_back_as_far_as_the_window(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path, window_changes_max=4) as served:
        await served.applied(await write(servers, embedded_topic, [(b"a", b"%d" % n) for n in range(9)]))
        (a, _) = (await served.data(_HISTORY))["values"]
        kept = [u["entry"]["value"] for u in a["history"]]
        assert 1 <= len(kept) <= 4
        assert kept == [str(n) for n in range(9)][-len(kept) :]


async def test_a_past_change_can_be_subscribed_after(topic: Topic) -> None:
    await topic.write((b"a", b"1"), (b"a", b"2"), (b"a", b"3"))
    document = '{ value(key: "a") { history { cursor } } }'
    first = (await topic.served.data(document))["value"]["history"][0]["cursor"]
    subscription = f'subscription {{ updates(keys: ["a"], after: "{first}") {{ kind entry {{ value }} }} }}'
    async with watching(topic, subscription) as events:
        told = [await anext(events) for _ in range(3)]
    assert [(t["updates"]["kind"], t["updates"]["entry"] and t["updates"]["entry"]["value"]) for t in told] == [
        ("SET", "2"),
        ("SET", "3"),
        ("LIVE", None),
    ]
