"""The dashboard on small screens, in both colour schemes, and its accessibility."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import Served, serving, write

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

LONG = b"a/long/key/" + b"of-many-letters-" * 20
RECORDS = [(b"oven", b'{"degrees": 180, "door": "shut"}'), (LONG, b"x" * 1_000), (b"fridge", b"4"), (b"\xff", b"\xfe")]
VIEW = "?pin=fridge&plot=oven~~/degrees"
LINKS = ("", VIEW, f"{VIEW}&key=oven")
PHONE = 390
FIRST_LOAD_BYTES_MAX = 150_000

# WCAG's relative luminance of the page's background, from 0 for black to 1 for white.
BACKGROUND = """
() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(document.documentElement).backgroundColor;
  context.fillRect(0, 0, 1, 1);
  const linear = (part) => part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4;
  const [red, green, blue] = [...context.getImageData(0, 0, 1, 1).data].map(linear);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
"""


@asynccontextmanager
async def holding(broker: EmbeddedBroker, topic: str, directory: Path) -> AsyncIterator[Served]:
    """Run a service with all kinds of keys and values."""
    async with serving(broker.bootstrap_servers, topic, directory) as served:
        await served.applied(await write(broker.bootstrap_servers, topic, RECORDS))
        yield served


async def test_the_dashboard_has_no_accessibility_violation(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with holding(embedded_broker, embedded_topic, tmp_path) as served:
        for link in LINKS:
            async with visitor.dashboard(served.run.url, link) as dashboard:
                await dashboard.is_live()
                await dashboard.is_accessible(link)


async def test_everything_fits_the_width_of_a_phone_without_an_accessibility_violation(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with holding(embedded_broker, embedded_topic, tmp_path) as served:
        for link in LINKS:
            async with visitor.dashboard(served.run.url, link, width=PHONE) as dashboard:
                await dashboard.is_live()
                assert await dashboard.overflow() == (0, []), link
                await dashboard.is_accessible(link)
        async with visitor.dashboard(served.run.url, VIEW, width=PHONE) as dashboard:
            await dashboard.page.get_by_role("button", name="Pins and plots").click()
            await dashboard.plots_latest("oven degrees", "180")
            assert await dashboard.overflow() == (0, [])
            buttons = [dashboard.page.get_by_role("button", name=name) for name in ("Zoom in", "Later", "Pause")]
            boxes = [await button.bounding_box() for button in buttons]
            assert len({box["y"] for box in boxes if box}) == 1, "the buttons of the plots are in one line"


async def test_the_first_load_is_small_and_contains_nothing_of_graphiql(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with (
        holding(embedded_broker, embedded_topic, tmp_path) as served,
        visitor.dashboard(served.run.url, f"{VIEW}&key=oven") as dashboard,
    ):
        await dashboard.is_live()
        loaded = await dashboard.transferred()
        assert len(loaded) > 3
        assert sum(loaded.values()) < FIRST_LOAD_BYTES_MAX, loaded
        assert [address for address in loaded if "graphiql" in address or "monaco" in address] == []


async def test_plots_and_table_stay_visible_with_many_pins(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    fields = ", ".join(f'"field_{number}": {number}' for number in range(12))
    keys = [f"oven/{number:02}" for number in range(12)]
    async with serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path) as served:
        records = [(key.encode(), f"{{{fields}}}".encode()) for key in keys]
        await served.applied(await write(embedded_broker.bootstrap_servers, embedded_topic, records))
        link = "?" + "&".join([f"pin={key}" for key in keys] + [f"plot={key}~~/field_3" for key in keys[:3]])
        async with visitor.dashboard(served.run.url, link) as dashboard:
            await dashboard.plots_latest("oven/00 field_3", "3")
            for key in keys[:3]:
                await dashboard.is_fully_visible(dashboard.plots.filter(has_text=key))
                await dashboard.is_fully_visible(dashboard.row(key))


async def test_the_page_follows_the_colour_scheme_of_the_system(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with holding(embedded_broker, embedded_topic, tmp_path) as served:
        async with visitor.dashboard(served.run.url, VIEW, colours="light") as dashboard:
            await dashboard.plots_latest("oven degrees", "180")
            assert await dashboard.page.evaluate(BACKGROUND) > 0.7
        async with visitor.dashboard(served.run.url, VIEW, colours="dark") as dashboard:
            await dashboard.plots_latest("oven degrees", "180")
            assert await dashboard.page.evaluate(BACKGROUND) < 0.1
