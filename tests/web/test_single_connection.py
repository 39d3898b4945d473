"""graphql-sse in its single connection mode: one event stream for the results of many operations.

tests/web/test_transports.py has what all transports share, tests/clients what the real client does.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from httpx_sse import EventSource

from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.auth.issuer import AUDIENCE, ISSUER, Issuer, write_keys
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.serving import Served, ServedTopic, serving_topic
from tests.transports import StreamLink, open_stream, until_active
from tests.web.posting import JSON, codes
from tests.web.reserved import EVENTS, LIVE_QUERY, QUERY, TOKEN, VALUE, live, nothing, reserve

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRITE = {"query": 'mutation { set(key: "w", value: "1") { offset } }'}
UNKNOWN = "There is no such event stream: reserve one by PUT, and send its token as X-GraphQL-Event-Stream-Token."
ANN, BEN = new_token(), new_token()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    directory = tmp_path_factory.mktemp("single")
    async with serving_topic(embedded_broker, directory, (b"a", b"1"), enable_writes=True) as topic:
        yield topic.served


@pytest_asyncio.fixture(loop_scope="module")
async def link(served: Served) -> AsyncIterator[StreamLink]:
    async with open_stream(served) as link:
        yield link
    await until_active(served.http, 0)


async def test_reservation_is_a_token_that_nothing_keeps_and_nobody_guesses(served: Served) -> None:
    reserved = [await served.http.put("/graphql") for _ in range(2)]
    assert [answer.status_code for answer in reserved] == [201, 201]
    assert len({answer.text for answer in reserved}) == 2
    assert min(len(answer.text) for answer in reserved) >= 22, "128 bits in base64"
    headers = reserved[0].headers
    assert (headers["content-type"], headers["cache-control"]) == ("text/plain; charset=utf-8", "no-store")
    assert headers["x-content-type-options"] == "nosniff"


async def test_results_carry_the_id_of_their_operation_and_its_end_frees_the_id(link: StreamLink) -> None:
    for _ in range(2):
        answer = await link.post("one", QUERY)
        assert (answer.status_code, answer.content) == (202, b"")
        name, data = await link.event()
        assert (name, data["id"], data["payload"]["data"]) == ("next", "one", VALUE)
        assert await link.event() == ("complete", {"id": "one"})


async def test_operation_by_get_is_a_query_only(served: Served, link: StreamLink) -> None:
    extensions = '{"operationId": "get"}'
    headers = {TOKEN: link.token}
    written = await served.http.get("/graphql", params=WRITE | {"extensions": extensions}, headers=headers)
    assert (written.status_code, codes(written)) == (405, ["BAD_INPUT"])
    found = await served.http.get("/graphql", params=QUERY | {"extensions": extensions}, headers=headers)
    assert found.status_code == 202
    assert (await link.event())[1]["payload"]["data"] == VALUE


async def test_client_learns_on_the_stream_why_a_document_is_refused(link: StreamLink) -> None:
    """The real client shows its user nothing of an answer other than 202, and asks five times more."""
    assert (await link.post("bad", {"query": "{ nothing }"})).status_code == 202
    name, data = await link.event()
    assert (name, data["id"]) == ("next", "bad")
    assert [error["extensions"]["code"] for error in data["payload"]["errors"]] == ["GRAPHQL_VALIDATION_FAILED"]
    assert await link.event() == ("complete", {"id": "bad"})


@pytest.mark.parametrize("identity", [None, "", 1, ["x"], {}], ids=repr)
async def test_operation_needs_an_id(link: StreamLink, identity: object) -> None:
    answer = await link.post(identity, QUERY)
    assert (answer.status_code, codes(answer)) == (400, ["BAD_INPUT"])


@pytest.mark.parametrize("parameters", [{}, {"operationId": ""}, {"id": "x"}], ids=repr)
async def test_end_of_an_operation_needs_its_id(link: StreamLink, parameters: dict[str, str]) -> None:
    answer = await link.end(**parameters)
    assert (answer.status_code, codes(answer)) == (400, ["BAD_INPUT"])


async def test_id_is_used_once_at_a_time_and_again_after_the_end_that_the_client_asked_for(
    served: Served, link: StreamLink
) -> None:
    await live(link, "one")
    answer = await link.post("one", QUERY)
    assert (answer.status_code, codes(answer)) == (409, ["BAD_INPUT"])
    assert (await link.end(operationId="one")).status_code == 200
    await until_active(served.http, 0)
    await live(link, "one")
    assert (await link.end(operationId="unknown")).status_code == 200, "it may have ended meanwhile"


async def test_second_request_for_a_stream_is_refused_and_the_first_goes_on(served: Served, link: StreamLink) -> None:
    again = await served.http.get("/graphql", headers={"accept": EVENTS, TOKEN: link.token})
    assert (again.status_code, codes(again)) == (409, ["BAD_INPUT"])
    await live(link, "one")


async def test_stream_is_gone_once_its_client_is(served: Served) -> None:
    async with open_stream(served) as link:
        await live(link, "one")
    await until_active(served.http, 0)
    async with asyncio.timeout(SECONDS_MAX):
        while (answer := await link.post("two", QUERY)).status_code != 404:
            pass
    assert answer.json()["errors"][0]["message"] == UNKNOWN


@pytest.mark.parametrize("token", ["", "unknown"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_unknown_stream_is_not_found(served: Served, method: str, token: str) -> None:
    for accept in (EVENTS, JSON):
        headers = {"accept": accept, TOKEN: token}
        answer = await served.http.request(method, "/graphql", headers=headers, params={"operationId": "x"})
        assert (answer.status_code, codes(answer)) == (404, ["BAD_INPUT"])


async def test_token_of_a_stream_is_not_taken_from_a_url(served: Served) -> None:
    token = await reserve(served)
    answer = await served.http.delete("/graphql", params={"token": token, "operationId": "x"})
    assert answer.status_code == 404
    answer = await served.http.get("/graphql", params={"token": token}, headers={"accept": EVENTS})
    assert b"complete" in answer.content, "an event stream with the error that no operation was asked for"


async def test_operations_wait_for_their_stream_to_be_opened(served: Served) -> None:
    token = await reserve(served)
    link = StreamLink(served, token, nothing())
    assert (await link.post("one", QUERY)).status_code == 202
    assert (await link.post("ended", LIVE_QUERY)).status_code == 202
    assert (await link.end(operationId="ended")).status_code == 200
    async with (
        asyncio.timeout(SECONDS_MAX),
        served.http.stream("GET", "/graphql", headers={"accept": EVENTS, TOKEN: token}) as response,
    ):
        events = EventSource(response).aiter_sse()
        assert [(await anext(events)).event for _ in range(2)] == ["next", "complete"]
        assert (await link.post("two", QUERY)).status_code == 202
        assert (await anext(events)).json()["id"] == "two"


@pytest.mark.parametrize(("seconds", "pings"), [(NEVER_SECONDS, 1), (0.05, 3)], ids=["at once", "now and then"])
async def test_stream_has_a_heartbeat_at_once_and_others_later_and_no_ids(
    embedded_broker: EmbeddedBroker, tmp_path: Path, seconds: float, pings: int
) -> None:
    async with asyncio.timeout(SECONDS_MAX), serving_topic(embedded_broker, tmp_path, ping_seconds=seconds) as topic:
        headers = {"accept": EVENTS, TOKEN: await reserve(topic.served), "last-event-id": "end"}
        async with topic.served.http.stream("GET", "/graphql", headers=headers) as response:
            assert response.headers["content-type"] == EVENTS
            lines = response.aiter_lines()
            assert [await anext(lines) for _ in range(2 * pings)] == [": ping", ""] * pings


async def test_stopping_service_cuts_streams_off_without_completing_their_operations(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, (b"a", b"1"), shutdown_seconds_max=NEVER_SECONDS) as topic,
        open_stream(topic.served) as idle,
        open_stream(topic.served) as used,
    ):
        await live(used, "one")
        topic.served.run.stop()
        assert await used.rest() == await idle.rest() == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def known(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedTopic]:
    """A service that asks who asks."""
    directory = tmp_path_factory.mktemp("known")
    settings: dict[str, Any] = {
        "tokens": (f"ann:{hash_of(ANN)}", f"ben:{hash_of(BEN)}"),
        "jwt_issuer": ISSUER,
        "jwt_audience": (AUDIENCE,),
        "jwt_jwks_file": write_keys(directory / "jwks.json", Issuer().jwk()),
        "jwt_clock_skew_seconds_max": 0.1,
        "cors_origins": ("https://pages.example",),
    }
    async with serving_topic(embedded_broker, directory, (b"a", b"1"), **settings) as topic:
        topic.served.http.headers["authorization"] = f"Bearer {ANN}"
        yield topic


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_stream_belongs_to_the_principal_who_reserved_it(known: ServedTopic) -> None:
    http = known.served.http
    # A name in a JWT is not that of a static token.
    others = [bearer(BEN), bearer(Issuer().token(sub="ann"))]
    async with open_stream(known.served, **bearer(ANN)) as link:
        await live(link, "one")
        for other in others:
            theirs = {TOKEN: link.token, **other}
            asked = QUERY | {"extensions": {"operationId": "two"}}
            assert (await http.post("/graphql", json=asked, headers=theirs)).status_code == 404
            assert (await http.get("/graphql", headers={"accept": EVENTS, **theirs})).status_code == 404
            ended = await http.delete("/graphql", params={"operationId": "one"}, headers=theirs)
            assert ended.status_code == 404
        await until_active(http, 1)
        await known.write((b"a", b"2"))
        assert (await link.event())[1]["payload"]["data"] == {"value": {"value": "2"}}
        await known.write((b"a", b"1"))


@pytest.mark.parametrize("method", ["PUT", "GET", "POST", "DELETE"])
async def test_each_request_of_the_mode_says_who_asks(known: ServedTopic, method: str) -> None:
    headers = {TOKEN: await reserve(known.served), "authorization": "Bearer wrong", "accept": EVENTS}
    answer = await known.served.http.request(method, "/graphql", headers=headers, params={"operationId": "x"})
    assert (answer.status_code, codes(answer)) == (401, ["UNAUTHENTICATED"])


@pytest.mark.parametrize("headers", [{"accept": "text/html"}, {"sec-websocket-key": "x", "accept": EVENTS}])
async def test_request_that_looks_like_one_for_a_page_says_who_asks_too(
    known: ServedTopic, headers: dict[str, str]
) -> None:
    token = await reserve(known.served)
    async with httpx.AsyncClient(base_url=known.served.run.url, timeout=SECONDS_MAX) as http:
        answer = await http.get("/graphql", headers={TOKEN: token, **headers})
    assert (answer.status_code, codes(answer)) == (401, ["UNAUTHENTICATED"])


async def test_cookie_reserves_nothing_and_asks_for_nothing(known: ServedTopic) -> None:
    headers = {"cookie": f"kvs_token={ANN}", "sec-fetch-site": "same-origin", "accept": EVENTS}
    async with httpx.AsyncClient(base_url=known.served.run.url) as http:
        for method in ("PUT", "POST", "DELETE"):
            answer = await http.request(method, "/graphql", headers=headers | {TOKEN: "any"})
            assert answer.status_code == 401


async def test_page_of_another_origin_opens_no_stream_and_asks_for_nothing(served: Served) -> None:
    headers = {TOKEN: await reserve(served), "sec-fetch-site": "cross-site"}
    for accept in (EVENTS, JSON):
        answer = await served.http.get("/graphql", headers=headers | {"accept": accept})
        assert (answer.status_code, codes(answer)) == (403, ["FORBIDDEN"])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "GET"])
async def test_pages_of_allowed_origins_may_use_the_mode_and_others_not(known: ServedTopic, method: str) -> None:
    asked = {"access-control-request-method": method, "access-control-request-headers": TOKEN}
    allowed = await known.served.http.options("/graphql", headers=asked | {"origin": "https://pages.example"})
    assert allowed.status_code == 200
    assert TOKEN in allowed.headers["access-control-allow-headers"].lower()
    assert method in allowed.headers["access-control-allow-methods"]
    other = await known.served.http.options("/graphql", headers=asked | {"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("short", ["stream", "operation"])
async def test_stream_ends_without_complete_when_the_first_token_used_on_it_expires(
    known: ServedTopic, short: str
) -> None:
    expires, lasts = (Issuer().token(sub="cho", exp=time.time() + seconds) for seconds in (2, 3600))
    of_stream, of_operation = (expires, lasts) if short == "stream" else (lasts, expires)
    async with open_stream(known.served, **bearer(of_stream)) as link:
        assert (await link.post("one", LIVE_QUERY, **bearer(of_operation))).status_code == 202
        assert await link.rest() == ["next"]
    again = await known.served.http.put("/graphql", headers=bearer(expires))
    assert again.status_code == 401
