"""The browser's own EventSource: it comes back with the last event's id, and stays away once it was told the end."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.readme import javascript
from tests.serving import serving, write

if TYPE_CHECKING:
    from playwright.async_api import JSHandle, Page

    from tests.browser.visits import Visitor

pytestmark = pytest.mark.browser

REFUSED = "net::ERR_CONNECTION_REFUSED"
SNAPSHOT = "subscription { updates(snapshot: true) { kind entry { value } } }"
LISTEN = """
(document) => {
  const source = new EventSource(`/graphql?query=${encodeURIComponent(document)}`);
  const told = [];
  source.addEventListener("next", ({ data }) => told.push(JSON.parse(data)));
  source.addEventListener("complete", () => told.push("complete"));
  return { source, told };
}
"""


class EventSource:
    """One of a page."""

    def __init__(self, page: "Page", listening: "JSHandle") -> None:
        self._page = page
        self._listening = listening

    async def told(self, events: int) -> list[Any]:
        """All it was told, once that are so many."""
        await self._page.wait_for_function("([it, events]) => it.told.length >= events", arg=[self._listening, events])
        told: list[Any] = await self._listening.evaluate("it => it.told")
        return told

    async def closed(self) -> None:
        """Wait until it has given up."""
        await self._page.wait_for_function("it => it.source.readyState === EventSource.CLOSED", arg=self._listening)


async def listen(page: "Page", document: str) -> EventSource:
    return EventSource(page, await page.evaluate_handle(LISTEN, document))


async def test_over_a_restart_it_goes_on_behind_the_last_event(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers, topic = embedded_broker.bootstrap_servers, embedded_topic
    async with AsyncExitStack() as visit:
        async with serving(servers, topic, tmp_path) as served:
            await served.applied(await write(servers, topic, [(b"key", b"1")]))
            page = await visit.enter_async_context(visitor.blank(served.run.url, allowed=REFUSED))
            source = await listen(page, SNAPSHOT)
            await source.told(2)
            await write(servers, topic, [(b"key", b"2")])
            await source.told(3)
        await write(servers, topic, [(b"key", b"3"), (b"key", b"4")])
        async with serving(servers, topic, tmp_path, port=urlsplit(served.run.url).port):
            await source.told(6)
            await write(servers, topic, [(b"key", b"5")])
            updates = [event["data"]["updates"] for event in await source.told(7)]
            await visit.aclose()
    assert [(update["kind"], (update["entry"] or {}).get("value")) for update in updates] == [
        ("SNAPSHOT", "1"),
        ("LIVE", None),
        ("SET", "2"),
        ("SET", "3"),
        ("SET", "4"),
        ("LIVE", None),
        ("SET", "5"),
    ]


async def test_told_that_there_is_no_more_it_asks_once_again_and_gives_up(
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
        error, end = await source.told(2)
        assert (error["errors"][0]["extensions"]["code"], end) == ("BAD_INPUT", "complete")
        await source.closed()
        assert statuses == [200, 204]


async def test_the_snippet_of_the_readme_tells_every_update(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with (
        serving(servers, embedded_topic, tmp_path) as served,
        visitor.blank(served.run.url) as page,
    ):
        await served.applied(await write(servers, embedded_topic, [(b"cpu/0", b"1")]))
        async with page.expect_console_message(lambda said: "LIVE" in said.text):
            await page.add_script_tag(content=javascript("new EventSource", served.run.url))
        async with page.expect_console_message() as said:
            await write(servers, embedded_topic, [(b"cpu/0", b"2")])
        update = await (await said.value).args[0].json_value()
    assert update == {"kind": "SET", "key": "cpu/0", "entry": {"json": 2}}
