"""A real browser behind every proxy: the dashboard, GraphiQL, and event streams over one HTTP/2 connection."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.proxies.conftest import Proxied
from tests.proxies.processes import CADDY_PROXY

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.proxy, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

# Browsers open at most six HTTP/1.1 connections per host.
EVENT_SOURCES = 8
OPEN_EVENT_SOURCES = """
([url, count]) => {
  const document = `subscription { updates(keys: ["c"], progress: true) { kind entry { value } } }`;
  const received = Array.from({ length: count }, () => []);
  for (const events of received) {
    const source = new EventSource(`${url}/graphql?query=${encodeURIComponent(document)}`);
    source.addEventListener("next", ({ data }) => events.push(JSON.parse(data).data.updates.kind));
  }
  return received;
}
"""
READ = """
async (url) => {
  const address = `${url}/graphql?query=${encodeURIComponent('{ value(key: "a") { value } }')}`;
  const answer = await (await fetch(address)).json();
  const [entry] = performance.getEntriesByName(address);
  return [answer.data.value.value, entry.nextHopProtocol];
}
"""


async def test_dashboard_behind_a_proxy_follows_changes(visitor: "Visitor", proxied: Proxied) -> None:
    async with visitor.dashboard(proxied.url) as dashboard:
        await dashboard.is_live()
        await dashboard.shows("a", "1")
        await proxied.topic.write((b"b", b"2"))
        await dashboard.shows("b", "2")
        assert urlsplit(dashboard.page.url).path == f"{proxied.place.prefix}/"


@pytest.mark.parametrize("proxied", [CADDY_PROXY], ids=["Caddy"], indirect=True)
async def test_eight_event_sources_and_a_query_share_one_http2_connection(visitor: "Visitor", proxied: Proxied) -> None:
    async with visitor.blank(proxied.url) as page:
        received = await page.evaluate_handle(OPEN_EVENT_SOURCES, [proxied.url, EVENT_SOURCES])
        for kinds in (["LIVE"], ["LIVE", "SET"]):
            await page.wait_for_function(
                "([received, kinds]) => received.every((events) => events.join() === kinds.join())",
                arg=[received, kinds],
            )
            assert await page.evaluate(READ, proxied.url) == ["1", "h2"]
            await proxied.topic.write((b"c", b"3"))
