"""How long fetches wait for records."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.compat.aiokafka import set_fetch_wait
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.kafka.fetch_waits import FETCH_WAIT_MS, FetchWaits, idle_wait_ms
from kvs_graphql.state import State
from tests.deadline import SECONDS_MAX
from tests.serving import serving, write

IDLE_MS = 300


def test_few_tables_wait_no_longer_than_one_and_many_not_without_bound() -> None:
    assert [idle_wait_ms(tables) for tables in (1, 2)] == [FETCH_WAIT_MS] * 2
    assert [idle_wait_ms(tables) for tables in (10, 50, 1_000)] == [500, 2_500, 2_500]


def test_wait_grows_after_empty_answers_and_ends_with_the_first_record() -> None:
    waits, seen = FetchWaits(IDLE_MS), list[int]()
    for empty in (*[True] * 11, False, True):
        seen.append(waits.next_ms)
        waits.answered(empty=empty)
    assert seen == [*[FETCH_WAIT_MS] * 10, IDLE_MS, IDLE_MS, FETCH_WAIT_MS]


async def test_fetch_after_a_record_waits_no_longer_than_in_a_busy_table(
    embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits, it may lack the partition whose record is being applied."""
    sent, idle, busy = list[int](), asyncio.Event(), asyncio.Event()

    def observed(request: Any, wait_ms: int) -> None:
        set_fetch_wait(request, wait_ms)
        sent.append(wait_ms)
        if wait_ms == IDLE_MS:
            idle.set()
        elif idle.is_set():
            busy.set()

    monkeypatch.setattr("kvs_graphql.kafka.topic_ids.set_fetch_wait", observed)
    monkeypatch.setattr("kvs_graphql.tables.limits.idle_wait_ms", lambda _: IDLE_MS)
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served, asyncio.timeout(SECONDS_MAX):
        await served.state(State.LIVE)
        await idle.wait()
        positions = await write(servers, embedded_topic, [(b"a", b"1")])
        await busy.wait()
        await served.applied(positions)
    assert sent[:10] == [FETCH_WAIT_MS] * 10
