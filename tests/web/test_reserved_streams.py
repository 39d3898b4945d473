"""Limits of one on reserved event streams: one more is refused until another ends, and the error names the setting."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.web.bodies import StreamBody
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.serving import Served, serving_topic
from tests.transports import StreamLink, open_stream, until_active
from tests.web.reserved import EVENTS, LIVE_QUERY, QUERY, TOKEN, live, nothing, reserve


def refusal(answer: httpx.Response) -> dict[str, Any]:
    """The extensions of the only error of an answer."""
    (error,) = answer.json()["errors"]
    extensions: dict[str, Any] = error["extensions"]
    return extensions


def over(setting: str, limit: int = 1) -> dict[str, Any]:
    return {"code": "LIMIT_EXCEEDED", "limit": limit, "setting": setting}


async def until_reserved(served: Served, headers: dict[str, str]) -> None:
    """Return once a stream can be reserved again."""
    async with asyncio.timeout(SECONDS_MAX):
        while (await served.http.put("/graphql", headers=headers)).status_code != 201:
            pass


async def test_streams_reserved_or_open_of_one_client_and_in_all(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    limits: dict[str, Any] = {
        "reserved_streams_per_client_max": 1,
        "reserved_streams_max": 2,
        "forwarded_allow_ips": ("127.0.0.1",),
    }
    first, second, third = ({"x-forwarded-for": f"10.0.0.{number}"} for number in range(3))
    async with serving_topic(embedded_broker, tmp_path, **limits) as topic:
        served = topic.served
        async with open_stream(served, **first):
            refused = await served.http.put("/graphql", headers=first)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert refusal(refused) == over("KVS_RESERVED_STREAMS_PER_CLIENT_MAX")
            await reserve(served, **second)
            assert refusal(await served.http.put("/graphql", headers=third)) == over("KVS_RESERVED_STREAMS_MAX", 2)
        await until_reserved(served, first)


async def test_seconds_until_a_reserved_stream_is_opened(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    limits: dict[str, Any] = {"reserved_streams_max": 1, "reservation_seconds_max": 1}
    async with serving_topic(embedded_broker, tmp_path, (b"a", b"1"), **limits) as topic:
        served = topic.served
        token = await reserve(served)
        assert refusal(await served.http.put("/graphql")) == over("KVS_RESERVED_STREAMS_MAX")
        assert (await StreamLink(served, token, nothing()).post("waits", LIVE_QUERY)).status_code == 202
        await until_reserved(served, {})
        answer = await served.http.get("/graphql", headers={"accept": EVENTS, TOKEN: token})
        assert answer.status_code == 404
        await until_active(served.http, 0)


async def test_stream_that_was_opened_in_time_outlives_its_reservation(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, (b"a", b"1"), reservation_seconds_max=1) as topic,
        open_stream(topic.served) as link,
        asyncio.timeout(SECONDS_MAX),
    ):
        forgotten = StreamLink(topic.served, await reserve(topic.served), nothing())
        while (await forgotten.end(operationId="x")).is_success:
            pass
        await live(link, "one")


async def test_operations_on_one_stream(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, (b"a", b"1"), operations_per_reserved_stream_max=1) as topic,
        open_stream(topic.served) as link,
        open_stream(topic.served) as other,
    ):
        await live(link, "one")
        refused = await link.post("two", QUERY)
        assert refused.status_code == 429
        assert refusal(refused) == over("KVS_OPERATIONS_PER_RESERVED_STREAM_MAX")
        await live(other, "two")
        assert (await link.end(operationId="one")).status_code == 200
        await live(link, "two")


async def test_bytes_of_operations_that_wait_for_their_stream(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    async with serving_topic(embedded_broker, tmp_path, subscription_arguments_bytes_max=1) as topic:
        served = topic.served
        token = await reserve(served)
        refused = await StreamLink(served, token, nothing()).post("waits", QUERY)
        assert refused.status_code == 429
        assert refusal(refused) == over("KVS_SUBSCRIPTION_ARGUMENTS_BYTES_MAX")
        async with open_stream(served) as link:
            assert (await link.post("waits for nothing", QUERY)).status_code == 202


async def test_what_waits_is_counted_until_the_stream_is_opened_or_given_up(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    limits: dict[str, Any] = {"subscription_arguments_bytes_max": 40_000, "reservation_seconds_max": 1}
    large = {"query": "{ __typename }", "variables": {"x": "x" * 1_000}}
    async with serving_topic(embedded_broker, tmp_path, **limits) as topic:
        served = topic.served
        links = [StreamLink(served, await reserve(served), nothing()) for _ in range(2)]
        assert (await links[0].post("one", large)).status_code == 202
        assert (await links[1].post("one", large)).status_code in {404, 429}
        async with asyncio.timeout(SECONDS_MAX):
            while (await StreamLink(served, await reserve(served), nothing()).post("x", large)).is_error:
                pass
        headers = {"accept": EVENTS, TOKEN: await reserve(served)}
        async with served.http.stream("GET", "/graphql", headers=headers):
            pass


async def test_answers_that_a_client_does_not_read_wait_in_turn_and_count_as_unread(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    limits: dict[str, Any] = {
        "unread_bytes_max": 4_000_000,
        "slow_client_seconds_max": NEVER_SECONDS,
        "send_buffer_bytes_max": 4_096,
    }
    large = (b"large", b"x" * 900_000)
    async with serving_topic(embedded_broker, tmp_path, large, (b"a", b"1"), **limits) as topic:
        served, whole = topic.served, {"query": '{ value(key: "large") { value } }'}
        async with open_stream(served) as link:
            for number in range(30):
                if (await link.post(str(number), whole)).status_code == 404:
                    break
            async with asyncio.timeout(SECONDS_MAX):
                while (await link.post("last", QUERY)).status_code in {202, 409}:
                    pass
            metrics = (await served.http.get("/metrics")).text
            assert 'kvs_clients_disconnected_total{reason="unread"} 1.0' in metrics
            with pytest.raises(httpx.TransportError):
                await link.rest()


async def test_answers_that_wait_are_written_one_after_the_other() -> None:
    """The server takes from all who wait at once as soon as there is room for one."""
    written: list[bytes] = []
    room = asyncio.Semaphore(0)

    async def send(message: Any) -> None:
        written.append(message["body"])
        await room.acquire()

    body = StreamBody(send, None)
    sending = [asyncio.ensure_future(body.send(b"%d" % number, b"!")) for number in range(3)]
    for number in range(3):
        while len(written) <= number:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        assert written == [b"%d!" % one for one in range(number + 1)]
        room.release()
    await asyncio.gather(*sending)
