"""Who is asking, on every transport: tokens where they belong, nothing without one, and the end of one."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from kvs_graphql.auth import hash_of
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.web import http as http_module
from kvs_graphql.web import websocket as websocket_module
from tests.auth.issuer import AUDIENCE, ISSUER, Issuer, write_keys
from tests.deadline import SECONDS_MAX
from tests.serving import Served, serving_topic
from tests.transports import MULTIPART_ACCEPT, TRANSPORT_WS
from tests.web.known import (
    EVENTS,
    QUERY,
    SUBSCRIPTION,
    TOKEN,
    arguments,
    bearer,
    first_part,
    serving_known,
    token_of,
)
from tests.web.posting import JSON, codes

pytestmark = pytest.mark.asyncio(loop_scope="module")

KNOWN_PATHS = ["/metrics", "/schema.graphql"]
REQUESTS = [
    ("POST", QUERY, JSON),
    ("GET", QUERY, JSON),
    ("POST", SUBSCRIPTION, EVENTS),
    ("GET", SUBSCRIPTION, EVENTS),
    ("POST", SUBSCRIPTION, MULTIPART_ACCEPT),
    ("GET", SUBSCRIPTION, MULTIPART_ACCEPT),
    ("POST", QUERY, EVENTS),
]
STREAMS = [request for request in REQUESTS if request[1] is SUBSCRIPTION]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving_known(embedded_broker, tmp_path_factory.mktemp("authentication")) as served:
        yield served


@pytest.fixture(params=["static", "JWT"])
def token(request: pytest.FixtureRequest) -> str:
    return token_of(request.param)


def socket(served: Served, headers: dict[str, str] | None = None) -> connect:
    url = served.run.url.replace("http", "ws", 1) + "/graphql"
    subprotocols = [Subprotocol(TRANSPORT_WS)]
    return connect(url, subprotocols=subprotocols, additional_headers=headers, proxy=None, open_timeout=SECONDS_MAX)


async def begin(opened: ClientConnection, payload: object = None) -> None:
    await opened.send(orjson.dumps({"type": "connection_init", "payload": payload}).decode())
    assert orjson.loads(await opened.recv()) == {"type": "connection_ack"}


async def subscribe(opened: ClientConnection) -> Any:
    await opened.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": SUBSCRIPTION}).decode())
    return orjson.loads(await opened.recv())["payload"]["data"]["updates"]["entry"]


@pytest.mark.parametrize(("method", "body", "accept"), REQUESTS)
async def test_request_with_a_token_is_answered(
    served: Served, token: str, method: str, body: dict[str, str], accept: str
) -> None:
    assert b'"value":"1"' in await first_part(served, method, body, accept, bearer(token))


@pytest.mark.parametrize(("method", "body", "accept"), REQUESTS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN} {TOKEN}"},
        bearer(TOKEN[:-1]),
        bearer(hash_of(TOKEN)),
        {"x-authorization": f"Bearer {TOKEN}"},
        {"cookie": f"kvs_token={TOKEN}"},
        {"cookie": f"kvs_token={TOKEN}", "sec-fetch-site": "cross-site"},
        {"cookie": f"kvs_token={TOKEN}", "sec-fetch-site": "none"},
        {"cookie": f"kvs_token={TOKEN}", "origin": "https://evil.example"},
        {"cookie": f"kvs_token={TOKEN}", "sec-fetch-site": "same-origin", "authorization": "Bearer wrong"},
        {"cookie": f"kvs_token={TOKEN}", "sec-fetch-site": "same-origin", "authorization": "Basic wrong"},
    ],
    ids=map(str, count()),
)
async def test_request_without_a_valid_token_is_refused(
    served: Served, method: str, body: dict[str, str], accept: str, headers: dict[str, str]
) -> None:
    answer = await served.http.request(method, "/graphql", **arguments(method, body, accept, headers))
    assert answer.status_code in ({401, 403} if method == "GET" and len(headers) > 1 else {401})
    assert b'"value"' not in answer.content
    if answer.status_code == 401:
        assert codes(answer) == ["UNAUTHENTICATED"]
        assert answer.headers["www-authenticate"].startswith('Bearer realm="kvs-graphql"')


@pytest.mark.parametrize(
    "claims",
    [{"exp": time.time() - 3600}, {"aud": "else"}, {"iss": "https://evil.example"}, {"nbf": time.time() + 3600}],
    ids=["expired", "audience", "issuer", "not yet"],
)
@pytest.mark.parametrize(("method", "body", "accept"), REQUESTS)
async def test_jwt_that_is_not_valid_is_refused_on_every_transport(
    served: Served, method: str, body: dict[str, str], accept: str, claims: dict[str, Any]
) -> None:
    headers = bearer(Issuer().token(**claims))
    answer = await served.http.request(method, "/graphql", **arguments(method, body, accept, headers))
    assert (answer.status_code, codes(answer)) == (401, ["UNAUTHENTICATED"])
    assert "invalid_token" in answer.headers["www-authenticate"]
    with pytest.raises(InvalidStatus) as refused:
        await socket(served, headers)
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("name", ["access_token", "token", "authorization", "kvs_token"])
async def test_no_token_is_taken_from_a_url(served: Served, name: str) -> None:
    for value in (TOKEN, f"Bearer {TOKEN}"):
        assert (await served.http.get("/graphql", params=QUERY | {name: value})).status_code == 401
        assert (await served.http.get("/metrics", params={name: value})).status_code == 401


async def test_two_authorization_headers_are_refused(served: Served) -> None:
    for values in ((TOKEN, "other"), ("other", TOKEN), (TOKEN, TOKEN)):
        headers = httpx.Headers([("authorization", f"Bearer {value}") for value in values])
        assert (await served.http.post("/graphql", json=QUERY, headers=headers)).status_code == 401


async def test_request_that_is_refused_writes_nothing_and_reads_no_body(served: Served) -> None:
    write = {"query": 'mutation { set(key: "unknown", value: "1") { offset } }'}
    assert (await served.http.post("/graphql", json=write)).status_code == 401
    too_large = b"{" + b" " * 2_000_000
    answer = await served.http.post("/graphql", content=too_large, headers={"content-type": JSON})
    assert answer.status_code == 401, "not 413"
    answer = await served.http.post(
        "/graphql", json={"query": '{ value(key: "unknown") { value } }'}, headers=bearer(TOKEN)
    )
    assert answer.json()["data"] == {"value": None}


@pytest.mark.parametrize("path", KNOWN_PATHS)
async def test_what_tells_of_tables_is_for_those_who_are_known(served: Served, token: str, path: str) -> None:
    refused = await served.http.get(path)
    assert (refused.status_code, codes(refused)) == (401, ["UNAUTHENTICATED"])
    assert (await served.http.get(path, headers=bearer(token))).status_code == 200


async def test_probes_and_pages_are_for_all_and_tell_nothing(served: Served, token: str) -> None:
    assert (await served.http.get("/healthz")).status_code == 200
    assert (await served.http.get("/readyz")).json() == {"ready": True}
    assert (await served.http.get("/readyz", headers=bearer(token))).json()["state"] == "LIVE"
    browser = {"accept": "text/html"}
    for headers in (browser, browser | bearer("wrong")):
        page = await served.http.get("/graphql", params=QUERY, headers=headers)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (await served.http.get("/", headers=browser)).status_code in {200, 307}


@pytest.mark.parametrize("form", ["authorization", "Authorization", "headers"])
async def test_websocket_with_a_token_is_served(served: Served, token: str, form: str) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        async with socket(served, bearer(token)) as opened:
            await begin(opened)
            assert await subscribe(opened) == {"value": "1"}
        value = f"bearer {token}"
        payload = {"headers": {"Authorization": value}} if form == "headers" else {form: value}
        async with socket(served) as opened:
            await begin(opened, payload)
            assert await subscribe(opened) == {"value": "1"}


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"authorization": TOKEN},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": None},
        {"authorization": ["Bearer", TOKEN]},
        {"headers": [f"Bearer {TOKEN}"]},
        {"token": TOKEN},
        {"authorization": f"Bearer {TOKEN}", "Authorization": "Bearer other"},
        {"authorization": f"Bearer {TOKEN}", "Authorization": f"Bearer {TOKEN}"},
        {"authorization": f"Bearer {TOKEN}", "headers": {"authorization": "Bearer other"}},
        {"headers": {"AUTHORIZATION": f"Bearer {TOKEN}", "authorization": None}},
    ],
    ids=map(str, count()),
)
async def test_websocket_without_a_valid_token_is_closed_so_that_the_client_comes_back_with_one(
    served: Served, payload: object
) -> None:
    async with asyncio.timeout(SECONDS_MAX), socket(served, {"cookie": f"kvs_token={TOKEN}"}) as opened:
        with pytest.raises(ConnectionClosed) as closed:
            await begin(opened, payload)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403


async def test_websocket_that_does_not_begin_gets_nothing(served: Served) -> None:
    async with asyncio.timeout(SECONDS_MAX), socket(served) as opened:
        with pytest.raises(ConnectionClosed) as closed:
            await subscribe(opened)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


class Late:
    """A clock that stands just before the end of a token."""

    def __init__(self, expires_at: float) -> None:
        self._now = expires_at - 0.05

    def time(self) -> float:
        return self._now


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> str:
    """A token that ends soon after whatever begins with it."""
    expires_at = time.time() + 3600
    for module in (http_module, websocket_module):
        # The service allows for 30 seconds between the clocks.
        monkeypatch.setattr(module, "time", Late(expires_at + 30.0))
    return Issuer().token(exp=expires_at)


@pytest.mark.parametrize(("method", "body", "accept"), STREAMS)
async def test_stream_ends_with_its_token_and_without_its_end(
    served: Served, ending: str, method: str, body: dict[str, str], accept: str
) -> None:
    sent = arguments(method, body, accept, bearer(ending))
    async with asyncio.timeout(SECONDS_MAX), served.http.stream(method, "/graphql", **sent) as answer:
        content = await answer.aread()
    assert b"complete" not in content
    assert b"--graphql--" not in content
    assert b"errors" not in content


@pytest.mark.parametrize(("method", "body", "accept"), REQUESTS)
async def test_token_that_was_good_is_refused_once_it_has_expired(
    served: Served, method: str, body: dict[str, str], accept: str
) -> None:
    # The service allows for 30 seconds between the clocks.
    headers = bearer(Issuer().token(exp=time.time() - 28.0))
    answer = await served.http.get("/graphql", params=QUERY, headers=headers)
    assert answer.status_code == 200
    while answer.status_code == 200:
        answer = await served.http.get("/graphql", params=QUERY, headers=headers)
    answer = await served.http.request(method, "/graphql", **arguments(method, body, accept, headers))
    assert (answer.status_code, codes(answer)) == (401, ["UNAUTHENTICATED"])


@pytest.mark.parametrize("by_header", [True, False])
async def test_websocket_is_closed_at_the_end_of_its_token_without_error_or_complete(
    served: Served, ending: str, by_header: bool
) -> None:
    async with asyncio.timeout(SECONDS_MAX), socket(served, bearer(ending) if by_header else None) as opened:
        await begin(opened, None if by_header else {"authorization": f"Bearer {ending}"})
        await opened.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": SUBSCRIPTION}).decode())
        messages = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                messages.append(orjson.loads(await opened.recv()))
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4403, "The token has expired.")
    assert {message["type"] for message in messages} <= {"next"}


async def test_service_reads_the_keys_again_and_refuses_tokens_of_one_that_is_withdrawn(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    """Nobody shows a token of an unknown key, which would lead to a look for new ones."""
    old, new = Issuer(key_id="old"), Issuer(number=1, key_id="new")
    keys = write_keys(tmp_path / "jwks.json", old.jwk())
    settings: dict[str, Any] = {"jwt_issuer": ISSUER, "jwt_audience": (AUDIENCE,), "jwt_jwks_file": keys}
    async with serving_topic(embedded_broker, tmp_path, (b"a", b"1"), **settings, jwks_refresh_seconds=0.05) as topic:
        http, withdrawn = topic.served.http, bearer(old.token())
        assert (await http.post("/graphql", json=QUERY, headers=withdrawn)).status_code == 200
        write_keys(keys, new.jwk())
        async with asyncio.timeout(SECONDS_MAX):
            while (await http.post("/graphql", json=QUERY, headers=withdrawn)).status_code != 401:  # noqa: ASYNC110 - the keys have no event for it
                await asyncio.sleep(0.01)
        assert (await http.post("/graphql", json=QUERY, headers=bearer(new.token()))).status_code == 200


@pytest.mark.parametrize(
    ("second", "reason"), [("another", "two principals"), ("wrong", "not valid"), ("the same", None), ("none", None)]
)
async def test_websocket_with_two_tokens_is_served_only_if_they_are_of_one_principal(
    served: Served, second: str, reason: str | None
) -> None:
    """A proxy's own token in the header gives its rights to nobody who shows another one."""
    # A name in a JWT is not that of a static token.
    tokens = {"another": Issuer().token(sub="ann"), "wrong": "wrong", "the same": TOKEN}
    async with asyncio.timeout(SECONDS_MAX), socket(served, bearer(TOKEN)) as opened:
        payload = bearer(tokens[second]) if second in tokens else None
        if reason is None:
            await begin(opened, payload)
            assert await subscribe(opened) == {"value": "1"}
            return
        with pytest.raises(ConnectionClosed) as closed:
            await begin(opened, payload)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403
        assert reason in closed.value.rcvd.reason


@pytest.mark.parametrize("subprotocols", [["bearer", TOKEN], [f"authorization.bearer.{TOKEN}"], ["kvs_token", TOKEN]])
async def test_no_token_is_taken_from_a_subprotocol(served: Served, subprotocols: list[str]) -> None:
    url = served.run.url.replace("http", "ws", 1) + "/graphql"
    names = [Subprotocol(name) for name in (*subprotocols, TRANSPORT_WS)]
    async with asyncio.timeout(SECONDS_MAX), connect(url, subprotocols=names, proxy=None) as opened:
        assert opened.subprotocol == TRANSPORT_WS
        with pytest.raises(ConnectionClosed) as closed:
            await begin(opened)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403


async def test_a_page_learns_how_to_sign_in_without_being_known(served: Served) -> None:
    answer = await served.http.get("/graphql/session")
    assert (answer.status_code, answer.json()) == (200, {"tokens": True, "oidc": None})
    assert (await served.http.get("/signed-in")).status_code == 404


async def test_a_page_learns_of_the_issuer_where_it_may_sign_in_there(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    keys = write_keys(tmp_path / "jwks.json", Issuer().jwk())
    settings: dict[str, Any] = {"jwt_issuer": ISSUER, "jwt_audience": (AUDIENCE,), "jwt_jwks_file": keys}
    oidc = {"oidc_client_id": "pages", "oidc_scopes": "openid,offline_access", "oidc_audience": "kvs"}
    async with serving_topic(embedded_broker, tmp_path, **settings, **oidc) as topic:
        http = topic.served.http
        answer = (await http.get("/graphql/session")).json()
        found = {"issuer": ISSUER, "client_id": "pages", "scopes": ["openid", "offline_access"]}
        assert answer == {"tokens": True, "oidc": {**found, "audience": "kvs", "resource": None}}
        page = await http.get("/signed-in")
        assert page.status_code == 200
        assert "connect-src 'self' https://issuer.example;" in page.headers["content-security-policy"]
