"""What the dashboard shows of values, keys and figures, and what it does not know."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.clients.proxy import line_to
from tests.serving import produce, serving, serving_topic

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

PHONE = 390
UNKNOWN = "\N{EN DASH}"
LONG = "a/long/key/" + "x" * 3_000
KNOWN = {"Lag": r"^\d", "From": r"/s$", "To": r"/s$", "Entries": "^1$", "Subscribers": r"^\d"}
FILESYSTEM = {"total_bytes": 25_276_510_208, "free_bytes": 22_112_345_678, "files": 1_234_567}
DISK = {"filesystem": FILESYSTEM, "name": "root"}


async def test_figures_about_kafka_are_unknown_while_it_is_away(visitor: "Visitor", tmp_path: Path) -> None:
    async with EmbeddedBroker() as broker:
        broker.create_topic("topic")
        servers = broker.bootstrap_servers
        async with serving(servers, "topic", tmp_path) as served, visitor.dashboard(served.run.url) as dashboard:
            await served.applied(await produce(servers, "topic", (b"key", b"1")))
            await dashboard.is_live()
            await dashboard.shows_figures(**KNOWN)
            broker.go_down()
            await dashboard.shows_banner("Kafka is unreachable")
            await dashboard.shows_figures(Lag=UNKNOWN, From=UNKNOWN, Entries="^1$", Subscribers=r"^\d")
            await dashboard.press_summary()
            await dashboard.has_partition("0", "1", UNKNOWN, UNKNOWN)
            broker.come_up()
            await dashboard.is_live()
            await dashboard.shows_figures(**KNOWN)
            await dashboard.has_partition("0", "1", "1", "0")


async def test_every_figure_is_unknown_while_the_service_is_silent(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, (b"key", b"1")) as topic,
        line_to(topic.served.run.url) as line,
        visitor.dashboard(line.url, "?key=key") as dashboard,
    ):
        await dashboard.is_live()
        await dashboard.shows_figures(**KNOWN)
        await dashboard.shows_activity("0/s")
        line.go_dead()
        await dashboard.shows_banner("No data from the service")
        await dashboard.shows_figures(**dict.fromkeys(KNOWN, UNKNOWN))
        await dashboard.shows_activity(UNKNOWN)
        await dashboard.shows_rate("key", UNKNOWN)


async def test_history_shows_what_changed_in_nested_json(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, (b"disk", json.dumps(DISK).encode())) as topic,
        visitor.dashboard(topic.served.run.url, "?key=disk") as dashboard,
    ):
        await dashboard.has_history("name: root")
        smaller = {**DISK, "filesystem": {**FILESYSTEM, "free_bytes": 22_000_000_000}}
        await topic.write((b"disk", json.dumps(smaller).encode()))
        await topic.write((b"disk", json.dumps({**smaller, "name": "home"}).encode()))
        await dashboard.has_changes("name: home", "filesystem.free_bytes: 22 GB")


async def test_a_past_value_shows_its_own_time_offset_and_size(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with serving_topic(embedded_broker, tmp_path) as topic:
        servers, name = topic.bootstrap_servers, topic.name
        for number, value in enumerate((b"open", b"ajar!")):
            positions = await produce(servers, name, (b"door", value), timestamp_ms=1_000_000_000_000 * (number + 1))
        await topic.served.applied(positions)
        async with visitor.dashboard(topic.served.run.url, "?key=door") as dashboard:
            await dashboard.has_fact("Offset", "1")
            await dashboard.has_fact("Size", "5 B")
            await dashboard.history.get_by_text("open").click()
            await dashboard.shows_detail("open")
            await dashboard.has_fact("Offset", "0")
            await dashboard.has_fact("Size", "4 B")
            await dashboard.has_year("2001")
            await dashboard.press("Back to the latest value")
            await dashboard.has_fact("Offset", "1")
            await dashboard.has_year("2033")


async def test_a_value_is_seen_raw_and_as_hex_and_copied(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    value = '{ "size":  1e3 }'
    records = ((b"json", value.encode()), (b"bytes", b"\xff\x00" * 400))
    async with (
        serving_topic(embedded_broker, tmp_path, *records) as topic,
        visitor.dashboard(topic.served.run.url, "?key=json") as dashboard,
    ):
        await dashboard.shows_tree("size 1e3")
        await dashboard.press("Raw")
        await dashboard.shows_detail(value)
        assert await dashboard.copied("Copy value") == value
        await dashboard.press("Hex")
        await dashboard.shows_detail(value.encode().hex(" "))
        assert await dashboard.copied("Copy value") == value.encode().hex(" ")
        assert await dashboard.violations() == []
        await dashboard.open("bytes")
        await dashboard.shows_detail((b"\xff\x00" * 256).hex(" ") + " …")
        assert await dashboard.copied("Copy value") == (b"\xff\x00" * 400).hex(" ")
        await dashboard.press("Show all 800 B")
        await dashboard.shows_detail((b"\xff\x00" * 400).hex(" "))


async def test_record_headers_are_shown_of_every_version_even_of_a_delete(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with serving_topic(embedded_broker, tmp_path) as topic:
        await topic.write((b"door", b"open"), headers=[("by", b"wind"), ("raw", b"\xff"), ("none", None)])
        async with visitor.dashboard(topic.served.run.url, "?key=door") as dashboard:
            await dashboard.has_headers("by wind", "raw ff", "none null")
            await topic.write((b"door", b"shut"), headers=[("by", b"hand")])
            await dashboard.shows_detail("shut")
            await dashboard.has_headers("by hand")
            await topic.write((b"door", None), headers=[("by", b"fire")])
            # The service tells the history of keys that have a value.
            await topic.write((b"door", b"new"))
            await dashboard.has_history("new", "deleted", "shut", "open")
            await dashboard.history.get_by_text("deleted").click()
            await dashboard.has_headers("by fire")
            await dashboard.history.get_by_text("open").click()
            await dashboard.has_headers("by wind", "raw ff", "none null")


async def test_sizes_and_large_counts_are_readable(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    value = json.dumps({**FILESYSTEM, "tags": {"a": 1}}).encode()
    async with (
        serving_topic(embedded_broker, tmp_path, (b"disk", value)) as topic,
        visitor.dashboard(topic.served.run.url, "?key=disk&pin=disk") as dashboard,
    ):
        await dashboard.shows("disk", "total_bytes 25.3 GB free_bytes 22.1 GB files 1,234,567 tags {1}")
        await dashboard.shows_tree("free_bytes 22.1 GB", "files 1,234,567")
        await dashboard.has_branch("tags 1 field")
        await dashboard.has_pinned("disk", "22.1 GB")


async def test_the_empty_key_is_visible_everywhere(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with serving_topic(embedded_broker, tmp_path, (b"", b'{"degrees": 4}'), (b"oven", b"1")) as topic:
        async with visitor.dashboard(topic.served.run.url) as dashboard:
            await dashboard.shows("(empty key)", "degrees 4")
            await dashboard.row("(empty key)").get_by_text("4", exact=True).click()
            await dashboard.plots_latest("(empty key) degrees", "4")
            await dashboard.open("(empty key)")
            await dashboard.press("Pin this key")
            await dashboard.has_pinned("(empty key)", "degrees")
            link = dashboard.link
        async with visitor.dashboard(topic.served.run.url, link) as dashboard:
            await dashboard.has_open("(empty key)")
            await dashboard.has_pinned("(empty key)", "degrees")
            await dashboard.plots_latest("(empty key) degrees", "4")


async def test_characters_that_cannot_be_seen_are_shown_by_their_escapes(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    records = [
        (b"esc\x1b[31m", b"red\x1b[0m\r\n\x00"),
        ("rtl\u202egnp".encode(), json.dumps({"na\u202eme": "\u2066text", "none": ""}).encode()),
        (b" spaces ", b""),
    ]
    async with serving_topic(embedded_broker, tmp_path) as topic:
        await topic.write(*records, headers=[("by\x07", b"\x1bhand"), ("empty", b"")])
        async with visitor.dashboard(topic.served.run.url) as dashboard:
            await dashboard.shows(r"esc\x1b[31m", r"red\x1b[0m\r\n\x00")
            await dashboard.shows(r"rtl\u202egnp", r"na\u202eme \u2066text none empty")
            await dashboard.shows('" spaces "', "empty")
            await dashboard.open(r"esc\x1b[31m")
            await dashboard.shows_detail("red\\x1b[0m\r\n\\x00")
            await dashboard.has_headers(r"by\\x07 \\x1bhand", "empty empty")
            assert await dashboard.copied("Copy value") == "red\x1b[0m\r\n\x00"
            await dashboard.open(r"rtl\u202egnp")
            await dashboard.shows_tree(r"na\u202eme \u2066text", "none empty")
            await dashboard.has_history(r"na\u202eme: \u2066text, none: empty")
            await dashboard.press("Pin this key")
            await dashboard.has_pinned(r"rtl\u202egnp", r"\u2066text")


async def test_a_long_header_leaves_room_for_its_name(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with serving_topic(embedded_broker, tmp_path) as topic:
        await topic.write((b"door", b"open"), headers=[("opened-by", b"x" * 300), ("n" * 300, b"wind")])
        for width in (PHONE, 1280):
            async with visitor.dashboard(topic.served.run.url, "?key=door", width=width) as dashboard:
                await dashboard.has_header_name_on_one_line("opened-by")
                assert await dashboard.overflow() == (0, [])


@pytest.mark.parametrize("width", [PHONE, 1280])
async def test_a_long_key_leaves_room_for_everything_else(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path, width: int
) -> None:
    async with serving_topic(embedded_broker, tmp_path, (LONG.encode(), b'{"degrees": 180}')) as topic:
        url = topic.served.run.url
        async with visitor.dashboard(url, f"?key={LONG}", width=width) as dashboard:
            close = dashboard.page.get_by_role("button", name="Close", exact=True)
            await dashboard.shows_tree("degrees 180")
            await dashboard.is_fully_visible(close)
            await dashboard.is_fully_visible(dashboard.detail.locator(".tree"))
            assert await dashboard.overflow() == (0, [])
            assert await dashboard.violations() == []
            await close.click()
            await dashboard.has_nothing_open()
        async with visitor.dashboard(url, f"?pin={LONG}&plot={LONG}~~/degrees", width=width) as dashboard:
            await dashboard.is_fully_visible(dashboard.page.locator(".pin-card"))
            await dashboard.is_fully_visible(dashboard.plots.first)
        async with visitor.dashboard(url, f"?prefix={LONG}!", width=width) as dashboard:
            await dashboard.is_fully_visible(dashboard.page.get_by_role("button", name="Show all keys"))


async def test_the_partitions_stay_on_the_screen_and_close_by_escape_and_clicks_outside(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path) as topic,
        visitor.dashboard(topic.served.run.url) as dashboard,
    ):
        await dashboard.is_live()
        for width in (PHONE, 720, 1280):
            await dashboard.resize(width, 800)
            await dashboard.press_summary()
            await dashboard.is_fully_visible(dashboard.popover)
            assert await dashboard.overflow() == (0, []), width
            await dashboard.popover.get_by_text("Version").click()
            await dashboard.is_fully_visible(dashboard.popover)
            await dashboard.type("Escape")
            await dashboard.has_no_popover()
            assert await dashboard.page.evaluate("document.activeElement.tagName") == "SUMMARY"
            await dashboard.press_summary()
            await dashboard.is_fully_visible(dashboard.popover)
            await dashboard.page.get_by_role("heading", level=1).click()
            await dashboard.has_no_popover()


async def test_a_link_to_a_plot_opens_on_the_plot_on_a_phone(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, (b"oven", b'{"degrees": 180}')) as topic,
        visitor.dashboard(topic.served.run.url, "?plot=oven~~/degrees", width=PHONE) as dashboard,
    ):
        await dashboard.plots_latest("oven degrees", "180")
        await dashboard.is_fully_visible(dashboard.plots.first)
        await dashboard.press("Keys")
        await dashboard.shows("oven", "degrees 180")
