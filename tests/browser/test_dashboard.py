"""The dashboard: live data, details, plots, keyboard use and shared links."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.serving import serving, write

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

COUNT_CONFLATED = """
globalThis.conflated = 0;
globalThis.WebSocket = class extends WebSocket {
  constructor(...parts) {
    super(...parts);
    this.addEventListener("message", ({ data }) => (conflated += data.includes('"CONFLATED"')));
  }
};
"""


async def test_a_key_appears_changes_and_disappears_as_in_kafka(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served, visitor.dashboard(served.run.url) as dashboard:
        await dashboard.is_live()
        await dashboard.shows_no("greeting")
        for value in (b"hello", b"good evening"):
            await write(servers, embedded_topic, [(b"greeting", value)])
            await dashboard.shows("greeting", value.decode())
        await write(servers, embedded_topic, [(b"greeting", None)])
        await dashboard.shows_no("greeting")


async def test_clicking_a_key_shows_its_value_and_history(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"door", b"open"), (b"door", b"ajar")]))
        async with visitor.dashboard(served.run.url) as dashboard:
            await dashboard.open("door")
            await dashboard.has_history("ajar", "open")
            await write(servers, embedded_topic, [(b"door", b"shut")])
            await dashboard.has_history("shut", "ajar", "open")
            await dashboard.shows_detail("shut")


async def test_fast_changes_leave_no_gap_in_the_history_and_show_no_banner(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    values = [str(number) for number in range(120)]
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"fast", b"start"), (b"other", b"start")]))
        async with visitor.dashboard(served.run.url, script=COUNT_CONFLATED) as dashboard:
            await dashboard.open("fast")
            await dashboard.has_history("start")
            await dashboard.record_banners()
            await write(servers, embedded_topic, [(key, v.encode()) for v in values for key in (b"fast", b"other")])
            await dashboard.shows("other", values[-1])
            await dashboard.has_history(*reversed(values), "start")
            assert await dashboard.page.evaluate("conflated") > 0
            assert await dashboard.banners() == []


async def test_a_long_history_releases_the_rows_that_it_evicts(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"clock", b"started")]))
        async with visitor.dashboard(served.run.url) as dashboard:
            await dashboard.open("clock")
            for hour in range(10):
                await write(servers, embedded_topic, [(b"clock", b"%d:%02d" % (hour, minute)) for minute in range(60)])
                await dashboard.shows_detail(f"{hour}:59")
            # Rows that the last hour evicted may not be collected yet.
            shown = await dashboard.history.count()
            assert await dashboard.elements_in_memory("HTMLLIElement") <= shown + 60


async def test_clicking_a_number_plots_it_live(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"oven", b'{"degrees": 180}')]))
        async with visitor.dashboard(served.run.url) as dashboard:
            await dashboard.row("oven").get_by_text("180").click()
            await dashboard.plots_latest("oven degrees", "180")
            await write(servers, embedded_topic, [(b"oven", b'{"degrees": 205}')])
            await dashboard.plots_latest("oven degrees", "205")


async def test_the_address_opens_the_same_view_in_another_browser(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    records = [(b"oven/left", b'{"degrees": 180}'), (b"oven/right", b'{"degrees": 90}'), (b"fridge", b"4")]
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, records))
        async with visitor.dashboard(served.run.url) as dashboard:
            await dashboard.shows("fridge", "4")
            await dashboard.search("oven/")
            await dashboard.shows_no("fridge")
            await dashboard.row("oven/right").get_by_text("90").click()
            await dashboard.open("oven/left")
            await dashboard.plots_latest("oven/right degrees", "90")
            await dashboard.move_splitter("ArrowDown", "ArrowDown")
            assert re.search(r"[?&]board=\d+", dashboard.link)
            height = await dashboard.board_height()
            link = dashboard.link
        async with visitor.dashboard(served.run.url, link) as dashboard:
            await dashboard.has_open("oven/left")
            await dashboard.plots_latest("oven/right degrees", "90")
            assert await dashboard.board_height() == height
            await dashboard.shows("oven/right", "degrees 90")
            await dashboard.shows_no("fridge")


async def test_plots_pause_when_paused_or_zoomed_and_can_be_resumed(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"oven", b"180")]))
        async with visitor.dashboard(served.run.url, "?plot=oven~~") as dashboard:
            await dashboard.plots_latest("oven", "180")
            for stop in ("Pause", "Zoom in", "Earlier", "drag"):
                await (dashboard.drag_over_plot() if stop == "drag" else dashboard.press(stop))
                await dashboard.shows_paused_plots()
                await dashboard.press("Resume")
                await dashboard.shows_live_plots()
            await dashboard.press("Pause")
            await write(servers, embedded_topic, [(b"oven", b"205")])
            await dashboard.plots_latest("oven", "205")


async def test_json_is_shown_as_a_tree_with_collapsible_branches(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    value = b'{"kitchen": {"oven": {"degrees": 180, "door": null}, "lamps": [true, "dim", []]}}'
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"house", value)]))
        async with visitor.dashboard(served.run.url, "?key=house") as dashboard:
            await dashboard.shows_tree("kitchen 2 fields", "oven 2 fields", "lamps 3 items")
            await dashboard.shows_no_tree("degrees 180")
            await dashboard.press("oven 2 fields")
            await dashboard.shows_tree("degrees 180", "door null")
            await dashboard.press("kitchen 2 fields")
            await dashboard.shows_no_tree("lamps 3 items")


async def test_everything_can_be_done_with_the_keyboard(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    records = [(b"fridge", b"4"), (b"oven/left", b"180"), (b"oven/right", b"90")]
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, records))
        async with visitor.dashboard(served.run.url) as dashboard:
            await dashboard.shows("fridge", "4")
            await dashboard.type("/", "oven/")
            await dashboard.shows_no("fridge")
            await dashboard.tab_to("Keys and their values")
            await dashboard.type("ArrowDown", "ArrowDown", "p", "Enter")
            await dashboard.has_open("oven/right")
            await dashboard.has_pinned("oven/right", "90")
            await dashboard.tab_to("90, plot oven/right")
            await dashboard.type("Enter")
            await dashboard.plots_latest("oven/right", "90")
            await dashboard.type("Escape")
            await dashboard.has_nothing_open()
            await dashboard.type("ArrowUp", "Enter")
            await dashboard.has_open("oven/left")


async def test_a_long_table_renders_only_the_visible_rows(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served:
        records = [(b"key/%04d" % number, b"1") for number in range(1_000)]
        await served.applied(await write(servers, embedded_topic, records))
        async with visitor.dashboard(served.run.url) as dashboard:
            await dashboard.has_loaded("1,000 keys")
            await dashboard.shows("key/0000", "1")
            await dashboard.shows_no("key/0999")
            await dashboard.tab_to("Keys and their values")
            await dashboard.type("End")
            await dashboard.shows("key/0999", "1")
            await dashboard.shows_no("key/0000")
            assert await dashboard.rows.count() < 60


async def test_rows_can_be_sorted_and_are_highlighted_when_they_change(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"a", b"1"), (b"b", b"1"), (b"c", b"1")]))
        async with visitor.dashboard(served.run.url) as dashboard:
            await dashboard.has_in_order("a", "b", "c")
            await dashboard.press("Key")
            await dashboard.has_in_order("c", "b", "a")
            await dashboard.press("Changed")
            await dashboard.page.mouse.move(0, 0)
            await dashboard.record_highlights()
            await write(servers, embedded_topic, [(b"b", b"2")])
            await dashboard.has_highlighted("b")
            # The first records may all have the same timestamp.
            await write(servers, embedded_topic, [(b"a", b"2")])
            await dashboard.has_in_order("a", "b", "c")
