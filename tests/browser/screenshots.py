"""Screenshots of the pages of real services.

`python -m tests.browser.screenshots` takes the screenshots of the documentation from the demo. With `--states
DIRECTORY`, it instead takes screenshots of every state of the dashboard in light and dark, on a large and a small
screen, for review.
"""

import argparse
import asyncio
import tempfile
from functools import partial
from pathlib import Path
from typing import get_args
from urllib.parse import urlencode

from playwright.async_api import expect

from kvs_graphql.demo.session import figures_topics
from kvs_graphql.runtime import running
from kvs_graphql.settings import load_settings
from tests.browser.needs import missing
from tests.browser.states import STATES
from tests.browser.visits import ColourScheme, Visitor, visiting

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SCREENS = ((1280, 800), (390, 844))
SECONDS_MAX = 180.0
# A plot of 30 s is full after 30 changes of the key, one per second.
SPAN_SECONDS = 30
BOARD = (
    "?table=system&pin=load&pin=memory&plot=load~~/minutes_1&with=load~~/minutes_5"
    f"&plot=memory~~/used_bytes&key=memory&span={SPAN_SECONDS}"
)
# Not of the processes: those of this machine must not be published.
QUERY = """query Machine {
  systemValue(key: "memory") {
    percent: json(pointer: "/percent")
    json
    timestamp
  }
  cpuEntries {
    edges {
      node {
        key
        busy: json(pointer: "/percent")
      }
    }
  }
  status {
    state
    lag
  }
}
"""


async def take_dashboard(visitor: Visitor, url: str, colours: ColourScheme) -> None:
    """Take the dashboard with two full plots and an open key."""
    async with visitor.dashboard(url, BOARD, colours=colours) as dashboard:
        await dashboard.is_live()
        await expect(dashboard.plots).to_have_count(2)
        await expect(dashboard.history.nth(SPAN_SECONDS)).to_be_attached(timeout=SECONDS_MAX * 1000)
        await dashboard.page.screenshot(path=IMAGES / f"dashboard-{colours}.png")


async def take_graphiql(visitor: Visitor, url: str) -> None:
    """Take an operation and its result."""
    async with visitor.graphiql(url, f"?{urlencode({'query': QUERY})}") as graphiql:
        await graphiql.has_open("query Machine")
        await graphiql.run()
        await graphiql.shows_result('"state": "LIVE"')
        await graphiql.page.screenshot(path=IMAGES / "graphiql.png")


async def take_states(directory: Path) -> None:
    """Take every state of the dashboard."""
    directory.mkdir(parents=True, exist_ok=True)
    async with visiting() as visitor:
        for name, state in STATES.items():
            for colours in get_args(ColourScheme):
                with tempfile.TemporaryDirectory() as database:
                    async with state(partial(visitor.dashboard, colours=colours), Path(database)) as dashboard:
                        for width, height in SCREENS:
                            await dashboard.resize(width, height)
                            await dashboard.page.screenshot(path=directory / f"{name}, {colours}, {width}.png")


async def take_documentation() -> None:
    """Run the demo and take all screenshots of the documentation."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        async with asyncio.timeout(SECONDS_MAX), figures_topics() as catalog:
            settings = load_settings(
                bootstrap_servers=catalog.bootstrap_servers,
                tables=catalog.tables,
                database=Path(directory, "tables"),
                port=0,
            )
            async with running(settings) as run, visiting() as visitor:
                async with asyncio.TaskGroup() as taking:
                    taking.create_task(take_dashboard(visitor, run.url, "light"))
                    taking.create_task(take_dashboard(visitor, run.url, "dark"))
                await take_graphiql(visitor, run.url)


def main() -> None:
    """Parse the command line and take the screenshots."""
    parser = argparse.ArgumentParser(description="Take screenshots of the pages.")
    parser.add_argument("--states", type=Path, metavar="DIRECTORY", help="take every state into this directory")
    states: Path | None = parser.parse_args().states
    if reason := missing():
        parser.exit(1, f"{reason}\n")
    asyncio.run(take_documentation() if states is None else take_states(states))


if __name__ == "__main__":
    main()
