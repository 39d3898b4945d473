"""Page object of the dialog that both pages sign in with."""

from collections.abc import Callable
from typing import Any

from playwright.async_api import Page, expect

STORED = "() => [Object.values(sessionStorage), Object.values(localStorage), document.cookie]"

DECIDED = """
token => sessionStorage.getItem("kvs-token") === token
  || document.querySelector("dialog.sign-in [role=alert]")?.textContent
"""
EXPIRE_SECONDS = (2, 4, 8, 16, 32)


class SignIn:
    """The dialog, and where the page keeps the token and sends it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.dialog = page.get_by_role("dialog", name="Sign in")
        self.urls: list[str] = []
        self.frames: list[str] = []
        """What the page sent over WebSockets."""
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("websocket", lambda socket: socket.on("framesent", self._record))

    def _record(self, frame: Any) -> None:
        self.frames.append(str(frame))

    async def asks(self, why: str) -> None:
        """The dialog is open and says this."""
        await expect(self.dialog).to_contain_text(why)

    async def use(self, token: str) -> None:
        await self.dialog.get_by_label("Token").fill(token)
        await self.dialog.get_by_role("button", name="Use token").click()

    async def use_one_that_expires(self, token_for: Callable[[float], str]) -> str:
        """Use a token that lasts some seconds: more where the machine is busy and a shorter one is refused."""
        for seconds in EXPIRE_SECONDS:
            token = token_for(seconds)
            await self.use(token)
            found = await self.page.wait_for_function(DECIDED, arg=token)
            if await found.json_value() is True:
                return token
        raise AssertionError(f"a token of {EXPIRE_SECONDS[-1]} s was refused")

    async def is_done(self) -> None:
        await expect(self.dialog).to_have_count(0)

    async def keeps_only_for_this_tab(self, token: str) -> None:
        """The token is in sessionStorage, and in no URL, cookie or other store."""
        session, local, cookies = await self.page.evaluate(STORED)
        assert token in session
        assert all(token not in text for text in [*local, cookies, *self.urls])
