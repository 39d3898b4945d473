"""Signing in with a token, on the dashboard and in GraphiQL: the page asks, goes on where it was, and forgets."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.auth.tokens import LONG_SECONDS, token_for, token_settings
from tests.serving import serving_topic

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

TOKEN = new_token()
REFUSED = "401 (Unauthorized)"
WATCH = 'subscription Watch { updates(snapshot: true, prefix: "w") { kind entry { value } } }'


@pytest.fixture
def static() -> dict[str, Any]:
    """The settings of a service that knows one token."""
    return {"tokens": (f"ann:{hash_of(TOKEN)}",)}


async def test_the_dashboard_signs_in_with_a_token_keeps_it_for_the_tab_and_signs_out(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path, static: dict[str, Any]
) -> None:
    from tests.browser.axe import violations
    from tests.browser.sign_in import SignIn

    async with (
        serving_topic(embedded_broker, tmp_path, (b"oven", b"180"), **static) as topic,
        visitor.dashboard(topic.served.run.url, "?key=oven", allowed=REFUSED) as dashboard,
    ):
        sign_in = SignIn(dashboard.page)
        await sign_in.asks("This service shows its data to those it knows.")
        assert await violations(dashboard.page) == []
        await sign_in.use("wrong")
        await sign_in.asks("The service does not accept this token.")
        await sign_in.use(TOKEN)
        await sign_in.is_done()
        await dashboard.shows("oven", "180")
        await dashboard.page.reload()
        await dashboard.shows("oven", "180")
        await sign_in.keeps_only_for_this_tab(TOKEN)
        begun = [json.loads(frame) for frame in sign_in.frames if "connection_init" in frame]
        assert begun[-1]["payload"] == {"authorization": f"Bearer {TOKEN}"}
        await dashboard.page.get_by_role("button", name="Sign out").click()
        await sign_in.asks("This service shows its data to those it knows.")
        assert TOKEN not in str(await dashboard.page.evaluate("() => Object.values(sessionStorage)"))
        await dashboard.shows_no("oven")


async def test_the_dashboard_goes_on_where_it_was_once_a_token_that_expired_is_replaced(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    from tests.browser.sign_in import SignIn

    async with (
        serving_topic(
            embedded_broker, tmp_path, (b"oven", b"180"), (b"fridge", b"4"), **token_settings(tmp_path)
        ) as topic,
        visitor.dashboard(topic.served.run.url, "?prefix=o&key=oven", allowed=REFUSED) as dashboard,
    ):
        sign_in = SignIn(dashboard.page)
        await sign_in.asks("This service shows its data")
        await sign_in.use_one_that_expires(token_for)
        await sign_in.asks("Your sign-in is no longer valid. Sign in again, and the page goes on where you were.")
        await topic.write((b"oven", b"190"))
        await sign_in.use(token_for(LONG_SECONDS))
        await sign_in.is_done()
        await dashboard.shows("oven", "190")
        await dashboard.shows_no("fridge")
        await dashboard.is_live()
        assert dashboard.link == "?prefix=o&key=oven"


async def test_a_visitor_may_look_at_what_anonymous_clients_see_and_sign_in_later(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path, static: dict[str, Any]
) -> None:
    from tests.browser.sign_in import SignIn

    rules: list[dict[str, Any]] = [
        {"to": ["anonymous"], "verbs": ["read", "status"], "prefixes": ["open/"]},
        {"to": ["token:ann"], "verbs": ["read", "status"]},
    ]
    settings = static | {"allow_anonymous": True, "grants": rules}
    async with (
        serving_topic(embedded_broker, tmp_path, (b"open/a", b"1"), (b"secret", b"2"), **settings) as topic,
        visitor.dashboard(topic.served.run.url) as dashboard,
    ):
        sign_in = SignIn(dashboard.page)
        await dashboard.shows("open/a", "1")
        await dashboard.shows_no("secret")
        await dashboard.page.get_by_role("button", name="Sign in").click()
        await sign_in.use(TOKEN)
        await dashboard.shows("secret", "2")


@pytest.mark.parametrize("transport", ["WebSocket", "Server-Sent Events"])
async def test_graphiql_signs_in_and_a_subscription_goes_on_once_a_token_that_expired_is_replaced(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path, transport: str
) -> None:
    from tests.browser.sign_in import SignIn

    link = f"?{urlencode({'query': WATCH})}"
    async with (
        serving_topic(embedded_broker, tmp_path, (b"w", b"1"), **token_settings(tmp_path)) as topic,
        visitor.graphiql(topic.served.run.url, link, allowed=REFUSED) as graphiql,
    ):
        sign_in = SignIn(graphiql.page)
        await sign_in.asks("This service shows its data")
        await sign_in.use_one_that_expires(token_for)
        await graphiql.has_open("subscription Watch")
        await graphiql.subscribe_over(transport)
        await graphiql.run()
        await sign_in.asks("Your sign-in is no longer valid.")
        await topic.write((b"w", b"2"))
        token = token_for(LONG_SECONDS)
        await sign_in.use(token)
        await sign_in.is_done()
        await graphiql.shows_result('"value": "2"')
        await sign_in.keeps_only_for_this_tab(token)
        await graphiql.page.get_by_role("button", name="Sign out").click()
        await sign_in.asks("This service shows its data")
