"""The cookie by which a browser's EventSource is known: set by a request with a token, and good for nothing else."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.deadline import SECONDS_MAX
from tests.serving import Served
from tests.transports import MULTIPART_ACCEPT
from tests.web.known import (
    EVENTS,
    PROXY,
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving_known(embedded_broker, tmp_path_factory.mktemp("cookies")) as served:
        yield served


@pytest.fixture(params=["static", "JWT"])
def token(request: pytest.FixtureRequest) -> str:
    return token_of(request.param)


async def test_event_source_is_known_by_a_cookie_that_a_post_sets_and_a_delete_ends(served: Served, token: str) -> None:
    assert (await served.http.post("/graphql/session")).status_code == 401
    assert (await served.http.post("/graphql/session", headers=bearer("wrong"))).status_code == 401
    begun = await served.http.post("/graphql/session", headers=bearer(token))
    assert begun.status_code == 204
    cookie, *attributes = begun.headers["set-cookie"].split("; ")
    assert cookie == f"kvs_token={token}"
    assert {"HttpOnly", "SameSite=Strict"} <= set(attributes)
    assert any(attribute.startswith("Max-Age=") for attribute in attributes) is (token != TOKEN)
    assert not any(attribute.startswith(("Domain", "Path")) for attribute in attributes)
    for page in ({"sec-fetch-site": "same-origin"}, {"origin": "https://pages.example"}, {"origin": served.run.url}):
        assert await first_part(served, "GET", SUBSCRIPTION, EVENTS, {"cookie": cookie, **page})
        for accept in (JSON, MULTIPART_ACCEPT):
            sent = arguments("GET", QUERY, accept, {"cookie": cookie, **page})
            assert (await served.http.get("/graphql", **sent)).status_code == 401
        assert (await served.http.get("/metrics", headers={"cookie": cookie, **page})).status_code == 401
        posted = arguments("POST", SUBSCRIPTION, EVENTS, {"cookie": cookie, **page})
        async with served.http.stream("POST", "/graphql", **posted) as answer:
            assert answer.status_code == 401
        # The answer to a query would be JSON.
        for accept in (f"{JSON}, text/event-stream;q=0.5", f"{EVENTS};q=0, */*", f"{EVENTS};q=0.1, {MULTIPART_ACCEPT}"):
            for body in (QUERY, SUBSCRIPTION):
                sent = arguments("GET", body, accept, {"cookie": cookie, **page})
                async with served.http.stream("GET", "/graphql", **sent) as answer:
                    assert answer.status_code == 401, accept
    ended = await served.http.delete("/graphql/session")
    assert ended.headers["set-cookie"].startswith("kvs_token=; HttpOnly; SameSite=Strict; Max-Age=0")


@pytest.mark.parametrize(
    "cookie", ["kvs_token", "kvs_token=", "a=b", "=;=;", 'kvs_token="', "a\tkvs_token=x", "x" * 5_000]
)
async def test_cookie_of_any_form_gets_an_answer(served: Served, cookie: str) -> None:
    sent = arguments("GET", SUBSCRIPTION, EVENTS, {"sec-fetch-site": "same-origin"})
    sent["headers"] = {**sent["headers"], "cookie": cookie}
    assert (await served.http.get("/graphql", **sent)).status_code == 401


@pytest.mark.parametrize(
    "others", ['prefs={"a":"b"}; ', "a[1]=2; ", "a\x80=\x81; ", "; =;a;; ", "kvs_token; KVS_TOKEN=x; "]
)
async def test_cookie_is_found_behind_any_cookies_of_others(served: Served, others: str) -> None:
    for cookie in (f"{others}kvs_token={TOKEN}", f"{others}kvs_token = {TOKEN} ;x=y"):
        sent = {"cookie": cookie, "sec-fetch-site": "same-origin", "accept": EVENTS}
        headers = httpx.Headers([(name.encode(), value.encode("latin-1")) for name, value in sent.items()])
        async with (
            asyncio.timeout(SECONDS_MAX),
            served.http.stream("GET", "/graphql", params=SUBSCRIPTION, headers=headers) as answer,
        ):
            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("peer", "scheme", "is_secure"), [(PROXY, "https", True), (PROXY, "http", False), ("127.0.0.1", "https", False)]
)
async def test_cookie_is_for_tls_where_a_trusted_proxy_says_that_the_browser_speaks_it(
    served: Served, peer: str, scheme: str, is_secure: bool
) -> None:
    transport = httpx.AsyncHTTPTransport(local_address=peer)
    async with httpx.AsyncClient(base_url=served.run.url, transport=transport, timeout=SECONDS_MAX) as http:
        headers = bearer(TOKEN) | {"x-forwarded-proto": scheme}
        begun = await http.post("/graphql/session", headers=headers)
    assert ("Secure" in begun.headers["set-cookie"].split("; ")) is is_secure


@pytest.mark.parametrize("other", ["x", ""])
async def test_several_cookies_are_refused(served: Served, other: str) -> None:
    """Another host of the domain can set a cookie of that name, and so choose who a visitor is taken for."""
    pairs = [f"kvs_token={TOKEN}", f"kvs_token={other}"]
    for cookies in (["; ".join(pairs)], ["; ".join(reversed(pairs))], pairs, [*reversed(pairs)]):
        headers = [("accept", EVENTS), ("sec-fetch-site", "same-origin"), *(("cookie", one) for one in cookies)]
        answer = await served.http.get("/graphql", params=SUBSCRIPTION, headers=headers)
        assert (answer.status_code, codes(answer)) == (401, ["UNAUTHENTICATED"])
        assert "several cookies" in answer.text
