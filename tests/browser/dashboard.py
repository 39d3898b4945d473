"""Page object of the dashboard."""

import re

from playwright.async_api import Locator, Page, expect

from tests.browser.axe import violations

BEYOND_THE_EDGE = """
() => [...document.querySelectorAll("button, a, input, select, summary")]
  .filter((control) => control.checkVisibility() && !control.closest(".unseen"))
  .filter((control) => {
    const { left, right } = control.getBoundingClientRect();
    return left < 0 || right > innerWidth;
  })
  .map((control) => control.ariaLabel || control.textContent)
"""


TRANSFERRED = """
() => performance.getEntries()
  .filter(({ transferSize }) => transferSize > 0)
  .map(({ name, transferSize }) => [name, transferSize])
"""
IN_ORDER = """
(order) => [...document.querySelectorAll(".row:not([hidden])")]
  .sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top)
  .map(({ title }) => title)
  .join(", ") === order
"""
RECORD_HIGHLIGHTS = """
() => {
  const highlighted = (globalThis.highlighted = new Set());
  const record = (mutations) => {
    for (const { target } of mutations) {
      if (Number(target.dataset.glow) > 0) highlighted.add(target.closest(".row").title);
    }
  };
  const options = { subtree: true, attributeFilter: ["data-glow"] };
  new MutationObserver(record).observe(document.getElementById("grid"), options);
}
"""
LINES = """
(element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  return new Set([...range.getClientRects()].map(({ top }) => top)).size;
}
"""
TABS_MAX = 40
RECORD_BANNERS = """
() => {
  const banners = (globalThis.banners = []);
  const look = () => document.querySelectorAll(".banner strong").forEach((title) => banners.push(title.textContent));
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
}
"""


class Dashboard:
    """An open dashboard. The methods that check something wait for it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.banner = page.get_by_role("region", name="Notice")
        self.detail = page.get_by_role("complementary", name="Selected key")
        self.history = self.detail.get_by_role("region", name="History").get_by_role("listitem")
        # Not found by role, since an open key covers it on a small screen.
        self.state = page.locator(".strip .state .number")
        self.rows = page.get_by_role("grid").locator(".row")
        self.plots = page.get_by_role("figure")
        self.popover = page.locator(".popover")
        self.tables = page.get_by_role("navigation", name="Tables")

    @property
    def link(self) -> str:
        """The query string of the address, with the question mark."""
        return "".join(self.page.url.partition("?")[1:])

    def row(self, key: str) -> Locator:
        """The row of a key in the table."""
        return self.page.get_by_role("grid").get_by_title(key, exact=True).filter(visible=True)

    def plot(self, name: str) -> Locator:
        return self.page.get_by_role("figure", name=f"Plot of {name}")

    async def shows(self, key: str, value: str) -> None:
        """The row of a key shows exactly this value."""
        await expect(self.row(key).locator(".value")).to_have_accessible_name(value)

    async def has_loaded(self, count: str) -> None:
        """The table shows this count, and is live."""
        await expect(self.page.locator(".count")).to_have_text(count)
        await self.is_live()

    async def has_in_order(self, *keys: str) -> None:
        """The table shows exactly these rows from top to bottom."""
        order = ", ".join(keys)
        await self.page.wait_for_function(IN_ORDER, arg=order)

    async def record_highlights(self) -> None:
        """Record from now on which rows are highlighted, even if only briefly."""
        await self.page.evaluate(RECORD_HIGHLIGHTS)

    async def has_highlighted(self, key: str) -> None:
        """The row of a key has been highlighted since `record_highlights`."""
        await self.page.wait_for_function("(key) => globalThis.highlighted.has(key)", arg=key)

    async def shows_no(self, key: str) -> None:
        await expect(self.row(key)).to_have_count(0)

    async def shows_table(self, name: str, *parts: str) -> None:
        """The switch shows this table with each of these parts."""
        for part in parts:
            await expect(self._table(name).get_by_text(part, exact=True)).to_be_visible()

    async def shows_rate_of_table(self, name: str) -> None:
        """The switch shows a rate of this table that is not 0."""
        await expect(self._table(name).get_by_text(re.compile(r"^\d*\.?\d*[1-9]\d*/s$"))).to_be_visible()

    async def switch_to(self, name: str) -> None:
        """Choose another table."""
        await self._table(name).click()
        await expect(self.tables.locator("[aria-current=page]").get_by_text(name, exact=True)).to_be_visible()

    async def has_no_switch(self) -> None:
        await expect(self.tables).to_have_count(0)

    def _table(self, name: str) -> Locator:
        return self.tables.get_by_role("link").filter(has=self.page.get_by_text(name, exact=True))

    async def is_live(self) -> None:
        """The page is live and shows no problem."""
        await expect(self.state).to_have_text("Live")
        await expect(self.banner).to_be_hidden()

    async def shows_figures(self, **figures: str) -> None:
        """The strip shows these numbers by the first word of their labels."""
        for name, number in figures.items():
            label = self.page.locator(".label").get_by_text(re.compile(f"^{name}"))
            figure = self.page.locator(".figure").filter(has=label)
            await expect(figure.locator(".number")).to_have_text(re.compile(number))

    async def has_fact(self, name: str, value: str | re.Pattern[str]) -> None:
        """The detail panel shows this about its record, such as its Offset."""
        fact = self.detail.locator(".facts > div").filter(has=self.page.get_by_text(name, exact=True))
        await expect(fact.get_by_role("definition")).to_have_text(value)

    async def has_year(self, year: str) -> None:
        """The record in the detail panel was written in this year."""
        await self.has_fact("Changed", re.compile(f"^{year}-"))

    async def shows_activity(self, rate: str) -> None:
        """The open key changes at this rate."""
        await expect(self.detail.locator(".activity strong")).to_have_text(rate)

    async def shows_rate(self, key: str, rate: str) -> None:
        await expect(self.row(key).locator(".rate")).to_have_text(rate)

    async def has_headers(self, *headers: str) -> None:
        """The record in the detail panel has exactly these headers, each a name and its value."""
        lines = self.detail.get_by_role("region", name="Headers").locator("dl > div")
        names_and_values = [re.compile(rf"^{name}\s*{value}$") for name, value in map(str.split, headers)]
        await expect(lines).to_have_text(names_and_values)

    async def has_header_name_on_one_line(self, name: str) -> None:
        found = self.detail.get_by_role("region", name="Headers").locator("dt").get_by_text(name, exact=True)
        assert await found.evaluate(LINES) == 1

    async def copied(self, button: str) -> str:
        """Press a button and return what it copied."""
        await self.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await self.press(button)
        await expect(self.page.get_by_role("button", name="Copied")).to_be_visible()
        copied: str = await self.page.evaluate("navigator.clipboard.readText()")
        await expect(self.page.get_by_role("button", name="Copied")).to_be_hidden()
        return copied

    async def press_summary(self) -> None:
        """Open or close the popover of partitions."""
        await self.page.locator(".partitions summary").click()

    async def has_partition(self, *cells: str) -> None:
        """The popover's only row has these cells."""
        await expect(self.popover.locator("tbody td")).to_have_text(list(cells))

    async def has_no_popover(self) -> None:
        await expect(self.popover).to_be_hidden()

    async def record_banners(self) -> None:
        """Record from now on every banner, even if it is shown only briefly."""
        await self.page.evaluate(RECORD_BANNERS)

    async def banners(self) -> list[str]:
        """Return the titles of the recorded banners."""
        titles: list[str] = await self.page.evaluate("globalThis.banners")
        return titles

    async def shows_banner(self, text: str) -> None:
        await expect(self.banner).to_contain_text(text)

    async def open(self, key: str) -> None:
        await self.row(key).locator(".key").click()
        await self.has_open(key)

    async def search(self, prefix: str) -> None:
        await self.page.get_by_role("searchbox").fill(prefix)

    async def look_up(self, key: str) -> None:
        """Look up a typed key."""
        box = self.page.get_by_role("searchbox", name="Look up a key")
        await box.fill(key)
        await box.press("Enter")

    async def shows_note(self, text: str) -> None:
        """The toolbar says this about a look-up."""
        await expect(self.page.locator(".toolbar").get_by_role("status")).to_contain_text(text)

    async def has_open(self, key: str) -> None:
        await expect(self.detail.get_by_role("heading", level=2)).to_have_text(key)

    async def plots_latest(self, name: str, number: str) -> None:
        """A plot of this name is drawn, and its latest number is this one."""
        plot = self.plot(name)
        await expect(plot.locator(".latest")).to_have_text(number)
        await expect(plot.locator("canvas")).to_be_visible()

    async def shows_detail(self, value: str) -> None:
        """The detail panel shows this value, which is not JSON."""
        await expect(self.detail.locator("pre")).to_have_text(value)

    async def shows_problem(self, text: str) -> None:
        """The detail panel says this about its value."""
        await expect(self.detail.get_by_text(text)).to_be_visible()

    async def elements_in_memory(self, kind: str) -> int:
        """Count the elements of a class in memory, including removed ones that were not collected."""
        session = await self.page.context.new_cdp_session(self.page)
        prototype = (await session.send("Runtime.evaluate", {"expression": f"{kind}.prototype"}))["result"]
        found = await session.send("Runtime.queryObjects", {"prototypeObjectId": prototype["objectId"]})
        length = {"functionDeclaration": "function () { return this.length; }", "returnByValue": True}
        asked = {"objectId": found["objects"]["objectId"], **length}
        return int((await session.send("Runtime.callFunctionOn", asked))["result"]["value"])

    async def has_history(self, *versions: str) -> None:
        """The history of the open key consists of these values, the latest first."""
        await expect(self.history).to_have_count(len(versions))
        for item, version in zip(await self.history.all(), versions, strict=True):
            await expect(item).to_contain_text(re.compile(rf"{re.escape(version)}$"))

    async def has_changes(self, *changes: str) -> None:
        """The history of the open key ends with exactly these changes, the latest first."""
        for index, change in enumerate(changes):
            await expect(self.history.nth(index).locator(".preview")).to_have_text(change)

    async def press(self, name: str) -> None:
        """Click the button of this name."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def type(self, *keys: str) -> None:
        """Press keys such as "Enter" or "p", or type words, where the focus is."""
        for key in keys:
            if len(key) == 1 or key[0].isupper():
                await self.page.keyboard.press(key)
            else:
                await self.page.keyboard.type(key)

    async def tab_to(self, name: str) -> None:
        """Press Tab until the element of this name has the focus."""
        for _ in range(TABS_MAX):
            await self.page.keyboard.press("Tab")
            if await self.page.evaluate("document.activeElement.ariaLabel") == name:
                return
        raise AssertionError(f"{name!r} does not get the focus within {TABS_MAX} presses of Tab")

    async def drag_over_plot(self) -> None:
        """Drag the mouse across the middle of the first plot."""
        box = await self.plots.first.locator(".u-over").bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        await self.page.mouse.move(box["x"] + box["width"] / 4, y)
        await self.page.mouse.down()
        await self.page.mouse.move(box["x"] + box["width"] / 2, y, steps=4)
        await self.page.mouse.up()

    async def shows_paused_plots(self) -> None:
        await expect(self.page.get_by_text("Paused; new values")).to_be_visible()

    async def shows_live_plots(self) -> None:
        await expect(self.page.get_by_text("Paused; new values")).to_be_hidden()
        await expect(self.page.get_by_role("button", name="Pause")).to_be_visible()

    async def shows_tree(self, *lines: str) -> None:
        """The value of the open key is a tree with these lines, each a name and its value."""
        for line in lines:
            await expect(self._line(line)).to_be_visible()

    async def has_branch(self, name: str) -> None:
        """The tree has a part with exactly this name and size."""
        await expect(self.detail.get_by_role("button", name=name, exact=True)).to_be_visible()

    async def shows_no_tree(self, line: str) -> None:
        await expect(self._line(line)).to_have_count(0)

    def _line(self, line: str) -> Locator:
        name, _, rest = line.partition(" ")
        text = re.compile(rf"^{re.escape(name)}\s*{re.escape(rest)}")
        return self.detail.locator(".tree").get_by_role("listitem").filter(has_text=text)

    async def has_pinned(self, key: str, value: str) -> None:
        card = self.page.locator(".pin-card").filter(has=self.page.get_by_title(f"Open {key}", exact=True))
        await expect(card).to_contain_text(value)

    async def has_nothing_open(self) -> None:
        await expect(self.detail).to_be_hidden()

    async def transferred(self) -> dict[str, int]:
        """Return the transferred bytes so far by address, including headers."""
        return dict(await self.page.evaluate(TRANSFERRED))

    async def violations(self) -> list[str]:
        """Return the accessibility violations of the page in its current state."""
        return await violations(self.page)

    async def is_accessible(self, where: object) -> None:
        """The page in its current state has no accessibility violation in either colour scheme."""
        for colours in ("light", "dark"):
            await self.page.emulate_media(color_scheme=colours)
            assert await self.violations() == [], (where, colours)

    async def is_fully_visible(self, part: Locator) -> None:
        """The element is entirely in the viewport."""
        await expect(part).to_be_in_viewport(ratio=1)

    async def move_splitter(self, *keys: str) -> None:
        """Press keys on the splitter between plots and table."""
        splitter = self.page.get_by_role("separator")
        for key in keys:
            await splitter.press(key)

    async def board_height(self) -> float:
        box = await self.page.get_by_role("region", name="Pinned keys and plots").bounding_box()
        assert box is not None
        return box["height"]

    async def resize(self, width: int, height: int) -> None:
        await self.page.set_viewport_size({"width": width, "height": height})

    async def overflow(self) -> tuple[int, list[str]]:
        """Return by how many pixels the page is too wide, and the controls that are not entirely on the screen."""
        pixels: int = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        controls: list[str] = await self.page.evaluate(BEYOND_THE_EDGE)
        return pixels, controls
