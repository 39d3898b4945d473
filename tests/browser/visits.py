"""Visits of the pages with a real browser, which cannot reach any other host and must report no errors."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from tests.browser.dashboard import Dashboard
from tests.browser.graphiql import GraphiQL
from tests.browser.needs import chromium

SECONDS_MAX = 60.0
LAUNCH_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Only this machine's loopback address can be resolved.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
  console.error(`content security policy: ${violatedDirective} refused ${blockedURI}`);
});
"""

# With an inline icon, since the browser would request one from the service.
BLANK = '<!doctype html><link rel="icon" href="data:,">'

ColourScheme = Literal["light", "dark"]


@dataclass
class Violations:
    """Requests to other hosts, and errors."""

    origin: str
    allowed: str | None
    """Text in errors that the test itself causes."""
    issuer: str = ""
    """The only other origin that the page may ask."""
    elsewhere: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def _hosts(self) -> set[str]:
        return {urlsplit(origin).netloc for origin in (self.origin, self.issuer)}

    def watch(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self._record_request(request.url))
        context.on("console", self._record_message)
        context.on("weberror", lambda error: self._record_error(str(error.error)))
        context.on("page", lambda page: page.on("websocket", lambda socket: self._record_request(socket.url)))

    def _record_request(self, url: str) -> None:
        found = urlsplit(url)
        if found.scheme not in {"data", "blob"} and found.netloc not in self._hosts:
            self.elsewhere.append(url)

    def _record_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._record_error(f"{message.text} ({message.location['url']})")

    def _record_error(self, text: str) -> None:
        if self.allowed is None or self.allowed not in text:
            self.errors.append(text)


class Visitor:
    """A user with a browser. Each visit starts without stored data."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @asynccontextmanager
    async def dashboard(
        self,
        origin: str,
        link: str = "",
        *,
        allowed: str | None = None,
        width: int = 1280,
        colours: ColourScheme = "light",
        script: str = "",
        issuer: str = "",
        prepare: Callable[[Page], Awaitable[None]] | None = None,
    ) -> AsyncIterator[Dashboard]:
        """Open the dashboard with `link` as its query, after `prepare`; `script` runs before those of the page."""
        async with self._page(origin, allowed, width, colours, issuer) as page:
            await page.add_init_script(script)
            if prepare is not None:
                await prepare(page)
            dashboard = Dashboard(page)
            await page.goto(f"{origin}/{link}")
            yield dashboard

    @asynccontextmanager
    async def graphiql(
        self,
        origin: str,
        link: str = "",
        *,
        allowed: str | None = None,
        width: int = 1280,
        colours: ColourScheme = "light",
        issuer: str = "",
    ) -> AsyncIterator[GraphiQL]:
        """Open the playground with `link` as its query."""
        async with self._page(origin, allowed, width, colours, issuer) as page:
            graphiql = GraphiQL(page)
            await page.goto(f"{origin}/graphql{link}")
            yield graphiql

    @asynccontextmanager
    async def blank(self, origin: str, *, allowed: str | None = None) -> AsyncIterator[Page]:
        """Open an empty page at the origin of the service."""
        async with self._page(origin, allowed, 1280, "light") as page:
            await page.route(f"{origin}/blank", lambda route: route.fulfill(content_type="text/html", body=BLANK))
            await page.goto(f"{origin}/blank")
            yield page

    @asynccontextmanager
    async def _page(
        self, origin: str, allowed: str | None, width: int, colours: ColourScheme, issuer: str = ""
    ) -> AsyncIterator[Page]:
        context = await self._browser.new_context(
            viewport={"width": width, "height": 800},
            device_scale_factor=1,
            color_scheme=colours,
            # Of the proxies that the tests run.
            ignore_https_errors=True,
        )
        context.set_default_timeout(SECONDS_MAX * 1000)
        try:
            violations = Violations(origin, allowed, issuer)
            violations.watch(context)
            await context.add_init_script(REPORT_VIOLATIONS)
            yield await context.new_page()
            assert not violations.elsewhere, f"the page sent requests to other hosts: {violations.elsewhere}"
            assert not violations.errors, f"the page had errors: {violations.errors}"
        finally:
            await context.close()


@asynccontextmanager
async def visiting() -> AsyncIterator[Visitor]:
    """Start a browser."""
    expect.set_options(timeout=SECONDS_MAX * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=LAUNCH_ARGUMENTS, timeout=SECONDS_MAX * 1000
        )
        try:
            yield Visitor(browser)
        finally:
            await browser.close()
