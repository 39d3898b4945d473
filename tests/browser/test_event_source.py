"""The browser's EventSource: it resumes after the last event, and does not reconnect after the end."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.auth.tokens import LONG_SECONDS, SHORT_SECONDS, Tokens, token_settings
from tests.ports import free_port
from tests.readme import javascript
from tests.serving import serving, serving_tables, write

if TYPE_CHECKING:
    from playwright.async_api import JSHandle, Page

    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

REFUSED = "net::ERR_CONNECTION_REFUSED"
SNAPSHOT = "subscription { updates(snapshot: true) { kind entry { value } } }"
LISTEN = """
(document) => {
  const source = new EventSource(`/graphql?query=${encodeURIComponent(document)}`);
  const received = [];
  source.addEventListener("next", ({ data }) => received.push(JSON.parse(data)));
  source.addEventListener("complete", () => received.push("complete"));
  return { source, received };
}
"""


class EventSource:
    """An EventSource in a page."""

    def __init__(self, page: "Page", listening: "JSHandle") -> None:
        self._page = page
        self._listening = listening

    async def received(self, events: int) -> list[Any]:
        """Return all events once at least this many have arrived."""
        arguments = [self._listening, events]
        await self._page.wait_for_function("([it, events]) => it.received.length >= events", arg=arguments)
        received: list[Any] = await self._listening.evaluate("it => it.received")
        return received

    async def has(self, last: str) -> list[Any]:
        """Return all events once one of them is `last`: a state, or the value of an entry."""
        is_last = "([it, last]) => it.received.some((one) => one === last || one.entry?.value === last)"
        await self._page.wait_for_function(is_last, arg=[self._listening, last])
        received: list[Any] = await self._listening.evaluate("it => it.received")
        return received

    async def closed(self) -> None:
        """Wait until it stops reconnecting."""
        await self._page.wait_for_function("it => it.source.readyState === EventSource.CLOSED", arg=self._listening)


RENEWING = """
([url, document]) => import("/package/index.js").then(({ authorizeBy, eventSourceClient, resumableUpdates }) => {
  const received = [];
  const authorization = authorizeBy((refused) => token(refused));
  const client = eventSourceClient({ url, authorization });
  const sink = {
    next: ({ data }) => received.push(data.updates),
    error: (reason) => received.push(String(reason)),
    complete: () => received.push("complete"),
    state: (state) => received.push(state),
  };
  resumableUpdates(client, { query: document, variables: { snapshot: true } }, sink, { authorization });
  return { received };
})
"""
RESUMABLE = """
subscription ($after: Cursor, $snapshot: Boolean!) {
  updates(after: $after, snapshot: $snapshot, progress: true) { kind cursor entry { value } }
}
"""
PACKAGE = Path(__file__).parent.parent.parent / "clients" / "javascript" / "src"


async def renewing(page: "Page", url: str, token: Tokens) -> EventSource:
    """Watch by the package in clients/javascript, which a page of the service's own origin has loaded."""
    await page.route("**/package/*", lambda route: route.fulfill(path=PACKAGE / route.request.url.rpartition("/")[2]))
    await page.expose_function("token", token)
    return EventSource(page, await page.evaluate_handle(RENEWING, [f"{url}/graphql", RESUMABLE]))


async def listen(page: "Page", document: str) -> EventSource:
    return EventSource(page, await page.evaluate_handle(LISTEN, document))


async def test_an_event_source_resumes_after_the_last_event_across_a_restart(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers, topic, port = embedded_broker.bootstrap_servers, embedded_topic, free_port()
    async with AsyncExitStack() as visit:
        async with serving(servers, topic, tmp_path, port=port) as served:
            await served.applied(await write(servers, topic, [(b"key", b"1")]))
            page = await visit.enter_async_context(visitor.blank(served.run.url, allowed=REFUSED))
            source = await listen(page, SNAPSHOT)
            await source.received(2)
            await write(servers, topic, [(b"key", b"2")])
            await source.received(3)
        await write(servers, topic, [(b"key", b"3"), (b"key", b"4")])
        async with serving(servers, topic, tmp_path, port=port):
            await source.received(6)
            await write(servers, topic, [(b"key", b"5")])
            updates = [event["data"]["updates"] for event in await source.received(7)]
            await visit.aclose()
    seen = [(update["kind"], (update["entry"] or {}).get("value")) for update in updates]
    assert seen[:3] == [("SNAPSHOT", "1"), ("LIVE", None), ("SET", "2")]
    # After the restart, LIVE is of the table as the client finds it, which may not have applied the changes yet.
    assert seen[3:].count(("LIVE", None)) == 1
    assert [change for change in seen[3:] if change[0] == "SET"] == [("SET", "3"), ("SET", "4"), ("SET", "5")]


@pytest.mark.parametrize("database", ["same", "another"])
async def test_a_token_that_expires_is_renewed_by_its_cookie_and_no_change_is_lost_or_repeated(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, database: str
) -> None:
    servers, topic, port = embedded_broker.bootstrap_servers, embedded_topic, free_port()
    asks, tokens = token_settings(tmp_path), Tokens(SHORT_SECONDS, SHORT_SECONDS, LONG_SECONDS)
    first, second = tmp_path / "same", tmp_path / database
    for directory in {first, second}:
        directory.mkdir()
    async with AsyncExitStack() as visit:
        async with serving(servers, topic, first, port=port, **asks) as served:
            await served.applied(await write(servers, topic, [(b"key", b"1")]))
            page = await visit.enter_async_context(visitor.blank(served.run.url, allowed="Failed to load resource"))
            source = await renewing(page, served.run.url, tokens)
            await source.has("live")
            await asyncio.sleep(tokens.expires_at - time.time())
            await write(servers, topic, [(b"key", b"2")])
            await source.has("2")
        await asyncio.sleep(tokens.expires_at - time.time())
        await write(servers, topic, [(b"key", b"3"), (b"key", b"4")])
        async with serving(servers, topic, second, port=port, **asks):
            await source.has("4")
            await write(servers, topic, [(b"key", b"5")])
            received = await source.has("5")
            await visit.aclose()
    updates = [event for event in received if isinstance(event, dict)]
    seen = [(update["kind"], update["entry"]["value"]) for update in updates if update["entry"]]
    assert seen == [("SNAPSHOT", "1"), ("SET", "2"), ("SET", "3"), ("SET", "4"), ("SET", "5")]
    assert tokens.given == 3


async def test_an_event_source_stops_reconnecting_after_the_end(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    refused = "subscription { updates(keys: []) { kind } }"
    async with (
        serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path) as served,
        visitor.blank(served.run.url) as page,
    ):
        statuses: list[int] = []
        page.on("response", lambda response: statuses.append(response.status))
        source = await listen(page, refused)
        error, end = await source.received(2)
        assert (error["errors"][0]["extensions"]["code"], end) == ("BAD_INPUT", "complete")
        await source.closed()
        assert statuses == [200, 204]


async def test_the_readme_example_receives_every_update(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with (
        serving_tables(servers, {"cpu": {"topic": embedded_topic}}, tmp_path) as served,
        visitor.blank(served.run.url) as page,
    ):
        await served.applied(await write(servers, embedded_topic, [(b"0", b"1")]), "cpu")
        async with page.expect_console_message(lambda message: "LIVE" in message.text):
            await page.add_script_tag(content=javascript("new EventSource", served.run.url))
        async with page.expect_console_message() as message:
            await write(servers, embedded_topic, [(b"0", b"2")])
        update = await (await message.value).args[0].json_value()
    assert update == {"kind": "SET", "key": "0", "entry": {"json": 2}}
