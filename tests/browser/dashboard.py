"""The dashboard as its readers use it."""

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
TABS_MAX = 40
KEEP_BANNERS = """
() => {
  const banners = (globalThis.banners = []);
  const look = () => document.querySelectorAll(".banner strong").forEach((title) => banners.push(title.textContent));
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
}
"""


class Dashboard:
    """An open dashboard. What `shows…` waits for has to come."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.banner = page.get_by_role("region", name="Notice")
        self.detail = page.get_by_role("complementary", name="Selected key")
        self.history = self.detail.get_by_role("region", name="History").get_by_role("listitem")
        # Not by its role: a key that is open on a small screen covers it.
        self.state = page.locator(".strip .state .number")
        self.rows = page.get_by_role("grid").locator(".row")
        self.plots = page.get_by_role("figure")

    @property
    def link(self) -> str:
        """What the address carries: its query, with the question mark."""
        return "".join(self.page.url.partition("?")[1:])

    def row(self, key: str) -> Locator:
        """The key's line in the table; none when the table has no such key."""
        return self.page.get_by_role("grid").get_by_title(key, exact=True).filter(visible=True)

    def plot(self, name: str) -> Locator:
        return self.page.get_by_role("figure", name=f"Plot of {name}")

    async def shows(self, key: str, value: str) -> None:
        """The key's line has that value, and no other."""
        await expect(self.row(key).locator(".value")).to_have_accessible_name(value)

    async def has_all(self, count: str) -> None:
        """The table says that it has so many, and nothing more is on its way."""
        await expect(self.page.locator(".count")).to_have_text(count)
        await self.is_live()

    async def has_in_order(self, *keys: str) -> None:
        """The table's rows from top to bottom, all of them in sight."""
        order = ", ".join(keys)
        await self.page.wait_for_function(IN_ORDER, arg=order)

    async def lights_up(self, key: str) -> None:
        await expect(self.row(key).locator(".value[data-glow='1'], .value[data-glow='2']")).to_be_visible()

    async def shows_no(self, key: str) -> None:
        await expect(self.row(key)).to_have_count(0)

    async def is_live(self) -> None:
        """Nothing is wrong, and all there is has arrived."""
        await expect(self.state).to_have_text("Live")
        await expect(self.banner).to_be_hidden()

    async def keep_banners(self) -> None:
        """From now on write down every banner, however short it is shown."""
        await self.page.evaluate(KEEP_BANNERS)

    async def banners(self) -> list[str]:
        """The titles that were written down."""
        titles: list[str] = await self.page.evaluate("globalThis.banners")
        return titles

    async def warns(self, text: str) -> None:
        await expect(self.banner).to_contain_text(text)

    async def open(self, key: str) -> None:
        await self.row(key).locator(".key").click()
        await self.has_open(key)

    async def search(self, prefix: str) -> None:
        await self.page.get_by_role("searchbox").fill(prefix)

    async def has_open(self, key: str) -> None:
        await expect(self.detail.get_by_role("heading", level=2)).to_have_text(key)

    async def plots_latest(self, name: str, number: str) -> None:
        """There is a plot of that name, drawn, whose newest number is that."""
        plot = self.plot(name)
        await expect(plot.locator(".latest")).to_have_text(number)
        await expect(plot.locator("canvas")).to_be_visible()

    async def details(self, value: str) -> None:
        """The open key has that value, which is no JSON."""
        await expect(self.detail.locator("pre")).to_have_text(value)

    async def elements_alive(self, kind: str) -> int:
        """How many elements of a class there are, with those that are on the page no more and still referred to."""
        session = await self.page.context.new_cdp_session(self.page)
        prototype = (await session.send("Runtime.evaluate", {"expression": f"{kind}.prototype"}))["result"]
        found = await session.send("Runtime.queryObjects", {"prototypeObjectId": prototype["objectId"]})
        length = {"functionDeclaration": "function () { return this.length; }", "returnByValue": True}
        asked = {"objectId": found["objects"]["objectId"], **length}
        return int((await session.send("Runtime.callFunctionOn", asked))["result"]["value"])

    async def remembers(self, *versions: str) -> None:
        """The history of the open key, the newest first."""
        await expect(self.history).to_have_count(len(versions))
        for item, version in zip(await self.history.all(), versions, strict=True):
            await expect(item).to_contain_text(re.compile(rf"{re.escape(version)}$"))

    async def press(self, name: str) -> None:
        """Press the button of that name."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def type(self, *keys: str) -> None:
        """Press single keys, or write whole words, where the focus is."""
        for key in keys:
            if len(key) == 1 or key[0].isupper():
                await self.page.keyboard.press(key)
            else:
                await self.page.keyboard.type(key)

    async def tab_to(self, name: str) -> None:
        """Press the tabulator until what has that name has the focus."""
        for _ in range(TABS_MAX):
            await self.page.keyboard.press("Tab")
            if await self.page.evaluate("document.activeElement.ariaLabel") == name:
                return
        raise AssertionError(f"{name!r} is not reached by {TABS_MAX} tabulators")

    async def drag_over_plot(self) -> None:
        """Draw the mouse over the middle of the first plot."""
        box = await self.plots.first.locator(".u-over").bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        await self.page.mouse.move(box["x"] + box["width"] / 4, y)
        await self.page.mouse.down()
        await self.page.mouse.move(box["x"] + box["width"] / 2, y, steps=4)
        await self.page.mouse.up()

    async def says_that_plots_stand_still(self) -> None:
        await expect(self.page.get_by_text("Standing still")).to_be_visible()

    async def says_that_plots_follow(self) -> None:
        await expect(self.page.get_by_text("Standing still")).to_be_hidden()
        await expect(self.page.get_by_role("button", name="Pause")).to_be_visible()

    async def shows_tree(self, *lines: str) -> None:
        """The open key's value has those lines, each the name and what it is."""
        for line in lines:
            await expect(self._line(line)).to_be_visible()

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
        """The bytes that came over the line so far, headers and all, by address."""
        return dict(await self.page.evaluate(TRANSFERRED))

    async def violations(self) -> list[str]:
        """What axe-core has against the page as it is."""
        return await violations(self.page)

    async def has_in_sight(self, part: Locator) -> None:
        """All of it can be seen."""
        await expect(part).to_be_in_viewport(ratio=1)

    async def move_border(self, *keys: str) -> None:
        """Press those keys at the border between the plots and the table."""
        border = self.page.get_by_role("separator")
        for key in keys:
            await border.press(key)

    async def board_height(self) -> float:
        box = await self.page.get_by_role("region", name="Pinned keys and plots").bounding_box()
        assert box is not None
        return box["height"]

    async def resize(self, width: int, height: int) -> None:
        await self.page.set_viewport_size({"width": width, "height": height})

    async def overflow(self) -> tuple[int, list[str]]:
        """How many pixels the page is wider than the screen, and the controls that are not wholly on it."""
        pixels: int = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        controls: list[str] = await self.page.evaluate(BEYOND_THE_EDGE)
        return pixels, controls
