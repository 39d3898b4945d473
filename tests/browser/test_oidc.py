"""Signing in at a real provider of OpenID Connect: authorization code with PKCE, under a path prefix."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.browser.issuing import AUDIENCE, CLIENT_ID, issuing, require_provider
from tests.ports import free_port
from tests.serving import ServedTopic, serving_topic

if TYPE_CHECKING:
    from playwright.async_api import Page, Request, Route

    from tests.browser.sign_in import SignIn
    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.asyncio(loop_scope="package")]

SHORT_SECONDS, LONG_SECONDS = 3, 3600
REFUSED = "401 (Unauthorized)"
FOREIGN_NONCE = "nonce=foreign"


@dataclass(frozen=True)
class Site:
    """A service under a path prefix, and the issuer of its tokens."""

    topic: ServedTopic
    url: str
    issuer: str


@asynccontextmanager
async def site(
    broker: EmbeddedBroker,
    directory: Path,
    *,
    token_seconds: int = LONG_SECONDS,
    scopes: str = "openid",
    naming: str = "",
    **others: Any,
) -> AsyncIterator[Site]:
    require_provider()
    port = free_port()
    url = f"http://127.0.0.1:{port}/kvs"
    async with issuing(f"{url}/signed-in", token_seconds, naming) as issuer:
        settings: dict[str, Any] = {
            "port": port,
            "root_path": "/kvs",
            "jwt_issuer": issuer,
            "jwt_audience": (AUDIENCE,),
            "jwt_clock_skew_seconds_max": 0.001,
            "oidc_client_id": CLIENT_ID,
            "oidc_scopes": scopes,
            **others,
        }
        async with serving_topic(broker, directory, (b"oven", b"180"), **settings) as topic:
            yield Site(topic, url, issuer)


async def go(sign_in: "SignIn") -> None:
    await sign_in.asks("This service shows its data to those it knows.")
    await sign_in.dialog.get_by_role("button", name="Sign in at").click()


def grants(page: "Page") -> list[str]:
    """The kinds of grants that the page asks for at the token endpoint."""
    found: list[str] = []

    def record(request: "Request") -> None:
        if urlsplit(request.url).path == "/token" and request.method == "POST":
            found.extend(parse_qs(request.post_data or "")["grant_type"])

    page.on("request", record)
    return found


@pytest.mark.parametrize("page", ["dashboard", "GraphiQL"])
async def test_visitor_signs_in_at_the_issuer_and_comes_back_to_the_same_place(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path, page: str
) -> None:
    from tests.browser.sign_in import SignIn

    async with site(embedded_broker, tmp_path) as served:
        if page == "dashboard":
            visit = visitor.dashboard(served.url, "?key=oven", allowed=REFUSED, issuer=served.issuer)
            async with visit as dashboard:
                sign_in = SignIn(dashboard.page)
                await go(sign_in)
                await dashboard.shows("oven", "180")
                assert dashboard.page.url == f"{served.url}/?key=oven"
                tokens = await dashboard.page.evaluate("() => sessionStorage.getItem('kvs-token')")
                await sign_in.keeps_only_for_this_tab(tokens)
            return
        link = "?query=query%20Mine%20%7B%20value(key%3A%20%22oven%22)%20%7B%20value%20%7D%20%7D"
        async with visitor.graphiql(served.url, link, allowed=REFUSED, issuer=served.issuer) as graphiql:
            await go(SignIn(graphiql.page))
            await graphiql.has_open("query Mine")
            await graphiql.run()
            await graphiql.shows_result('"value": "180"')


async def test_the_page_renews_a_token_by_itself_and_stays_live(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    from tests.browser.sign_in import SignIn

    async with (
        site(embedded_broker, tmp_path, token_seconds=SHORT_SECONDS, scopes="openid,offline_access") as served,
        visitor.dashboard(served.url, allowed=REFUSED, issuer=served.issuer) as dashboard,
    ):
        sign_in, asked = SignIn(dashboard.page), grants(dashboard.page)
        await go(sign_in)
        await dashboard.shows("oven", "180")
        for number in range(2):
            renewed = dashboard.page.expect_request(lambda request: request.url == f"{served.issuer}/token")
            async with renewed as request:
                await request.value
            value = str(190 + number)
            await served.topic.write((b"oven", value.encode()))
            await dashboard.shows("oven", value)
        assert asked[:3] == ["authorization_code", "refresh_token", "refresh_token"]
        await sign_in.is_done()


@pytest.mark.parametrize("page", ["dashboard", "GraphiQL"])
async def test_sign_out_ends_the_session_at_the_issuer_too(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path, page: str
) -> None:
    from tests.browser.sign_in import SignIn

    async with (
        site(embedded_broker, tmp_path, scopes="openid,offline_access") as served,
        visitor.dashboard(served.url, allowed=REFUSED, issuer=served.issuer) as dashboard,
    ):
        tab, logins, revoked = dashboard.page, list[str](), list[str]()
        sign_in = SignIn(tab)
        await go(sign_in)
        await dashboard.shows("oven", "180")
        refresh_token, token = await tab.evaluate(
            "() => [sessionStorage.getItem('kvs-refresh-token'), sessionStorage.getItem('kvs-token')]"
        )

        def record(request: "Request") -> None:
            if "/interaction/" in request.url:
                logins.append(request.url)
            if "revocation" in request.url:
                revoked.append(request.post_data or "")

        tab.on("request", record)
        if page == "GraphiQL":
            await tab.goto(f"{served.url}/graphql")
        await tab.get_by_role("button", name="Sign out").click()
        await tab.get_by_role("button", name="Yes, sign me out").click()
        await tab.wait_for_url(f"{served.url}/")
        assert await tab.evaluate("() => sessionStorage.length") == 0
        # A client that went on with the token for renewals would get others.
        assert [parse_qs(form)["token"] for form in revoked] == [[refresh_token]]
        assert not [url for url in sign_in.urls if refresh_token in url or token in url or "id_token" in url]
        # The issuer asks who the visitor is, again.
        await go(sign_in)
        await dashboard.shows("oven", "180")
        assert logins


async def test_issuer_that_cannot_sign_out_keeps_nobody_signed_in_here(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    from tests.browser.sign_in import SignIn

    async with (
        site(embedded_broker, tmp_path) as served,
        visitor.dashboard(served.url, allowed="Failed to load resource", issuer=served.issuer) as dashboard,
    ):
        sign_in = SignIn(dashboard.page)
        await go(sign_in)
        await dashboard.shows("oven", "180")
        await dashboard.page.route(f"{served.issuer}/**", lambda route: route.abort())
        await dashboard.page.get_by_role("button", name="Sign out").click()
        await sign_in.asks("This service shows its data to those it knows.")
        assert await dashboard.page.evaluate("() => sessionStorage.length") == 0


@pytest.mark.parametrize(("naming", "name"), [("resource", "urn:kvs"), ("audience", "kvs")])
async def test_issuer_is_told_whom_the_token_is_for(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path, naming: str, name: str
) -> None:
    from tests.browser.sign_in import SignIn

    seconds, scopes = SHORT_SECONDS, "openid,offline_access"
    named = {f"oidc_{naming}": name}
    async with (
        site(embedded_broker, tmp_path, token_seconds=seconds, scopes=scopes, naming=naming, **named) as served,
        visitor.dashboard(served.url, allowed=REFUSED, issuer=served.issuer) as dashboard,
    ):
        sign_in = SignIn(dashboard.page)
        await go(sign_in)
        await dashboard.shows("oven", "180")
        async with dashboard.page.expect_request(lambda request: request.url == f"{served.issuer}/token") as renewed:
            await renewed.value
        # The renewed token is for the same service.
        await served.topic.write((b"oven", b"190"))
        await dashboard.shows("oven", "190")
        await sign_in.is_done()


async def test_code_that_this_tab_did_not_ask_for_is_of_no_use(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    from playwright.async_api import expect

    pending = """sessionStorage.setItem("kvs-sign-in", JSON.stringify(
      { verifier: "v".repeat(43), state: "own", nonce: "n", returnTo: location.origin + "/kvs/" }))"""
    async with (
        site(embedded_broker, tmp_path) as served,
        visitor.dashboard(served.url, allowed=REFUSED, issuer=served.issuer) as dashboard,
    ):
        page, asked = dashboard.page, grants(dashboard.page)
        message = page.get_by_role("status")
        await page.goto(f"{served.url}/signed-in?code=foreign&state=foreign&iss={served.issuer}")
        await expect(message).to_contain_text("You are not signed in. This tab has not begun to sign in.")
        await page.evaluate(pending)
        await page.goto(f"{served.url}/signed-in?code=foreign&state=foreign&iss={served.issuer}")
        await expect(message).to_contain_text("You are not signed in.")
        assert asked == []
        assert await page.evaluate("() => sessionStorage.length") == 0
        await page.get_by_role("link", name="Back to the dashboard").click()
        await page.wait_for_url(f"{served.url}/")


async def test_token_with_another_nonce_is_of_no_use(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    from playwright.async_api import expect

    from tests.browser.sign_in import SignIn

    async def change_nonce(route: "Route") -> None:
        head, _, tail = route.request.url.partition("nonce=")
        location = f"{head}{FOREIGN_NONCE}&{tail.partition('&')[2]}"
        await route.fulfill(status=302, headers={"location": location})

    async with (
        site(embedded_broker, tmp_path) as served,
        visitor.dashboard(served.url, allowed=REFUSED, issuer=served.issuer) as dashboard,
    ):
        page, asked = dashboard.page, grants(dashboard.page)
        await page.route(
            lambda url: url.startswith(f"{served.issuer}/auth?") and FOREIGN_NONCE not in url, change_nonce
        )
        await go(SignIn(page))
        await expect(page.get_by_role("status")).to_contain_text("You are not signed in.")
        assert asked == ["authorization_code"]
        assert await page.evaluate("() => sessionStorage.length") == 0


async def test_pages_may_ask_exactly_the_issuer_besides_the_service(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with site(embedded_broker, tmp_path) as served:
        for path in ("/kvs/", "/kvs/graphql", "/kvs/signed-in"):
            page = await served.topic.served.http.get(path, headers={"accept": "text/html"})
            assert page.status_code == 200
            rules = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
            assert rules["connect-src"] == f"'self' {served.issuer}"
