"""The pictures of the documentation, taken of the real demo: `python -m tests.browser.screenshots`."""

import asyncio
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from playwright.async_api import expect

from kvs_graphql.demo.session import figures_topic
from kvs_graphql.runtime import running
from kvs_graphql.settings import load_settings
from tests.browser.needs import missing
from tests.browser.visits import ColourScheme, Visitor, visiting

IMAGES = Path(__file__).parents[2] / "docs" / "images"
TOPIC = "figures"
SECONDS_MAX = 180.0
# A plot of half a minute is full after as many changes of the key, one a second.
SPAN_SECONDS = 30
BOARD = f"?pin=load&plot=cpu/0~~/percent&plot=memory~~/used_bytes&key=cpu/0&span={SPAN_SECONDS}"
QUERY = """query Memory {
  value(key: "memory") {
    percent: json(pointer: "/percent")
    json
    partition
    offset
    timestamp
  }
  status {
    state
    entries
    lag
  }
}
"""


async def take_dashboard(visitor: Visitor, url: str, colours: ColourScheme) -> None:
    """Both plots full of data, and a key open."""
    async with visitor.dashboard(url, BOARD, colours=colours) as dashboard:
        await dashboard.is_live()
        await expect(dashboard.plots).to_have_count(2)
        await expect(dashboard.history.nth(SPAN_SECONDS)).to_be_attached(timeout=SECONDS_MAX * 1000)
        # What else runs here is nobody's business.
        for process in await dashboard.page.locator('.row[title^="process/"]').all():
            await expect(process).not_to_be_in_viewport()
        await dashboard.page.screenshot(path=IMAGES / f"dashboard-{colours}.png")


async def take_graphiql(visitor: Visitor, url: str) -> None:
    """An operation and its answer."""
    async with visitor.graphiql(url, f"?{urlencode({'query': QUERY})}") as graphiql:
        await graphiql.has_open("query Memory")
        await graphiql.run()
        await graphiql.answers('"state": "LIVE"')
        await graphiql.page.screenshot(path=IMAGES / "graphiql.png")


async def main() -> None:
    """Run the demo and take all pictures."""
    if reason := missing():
        sys.exit(reason)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        async with asyncio.timeout(SECONDS_MAX), figures_topic(TOPIC) as bootstrap_servers:
            settings = load_settings(
                bootstrap_servers=bootstrap_servers, topic=TOPIC, database=Path(directory, "kvs.db"), port=0
            )
            async with running(settings) as run, visiting() as visitor:
                async with asyncio.TaskGroup() as taking:
                    taking.create_task(take_dashboard(visitor, run.url, "light"))
                    taking.create_task(take_dashboard(visitor, run.url, "dark"))
                await take_graphiql(visitor, run.url)


if __name__ == "__main__":
    asyncio.run(main())
