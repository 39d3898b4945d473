"""Page object of the GraphiQL playground."""

import json
import re
from typing import Any

from playwright.async_api import Locator, Page, Request, WebSocket, expect

STORED = """
(text) => {
  const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem("graphiql:tabState") ?? '{ "tabs": [] }');
  return tabs[activeTabIndex]?.query?.includes(text);
}
"""
RESULT = "__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith('response.json')).getValue()"
INTROSPECTION = "IntrospectionQuery"
CLICK_ALL = "(elements) => elements.forEach((element) => element.click())"


def _is_of_the_user(request: Request) -> bool:
    """Whether a request runs an operation of a tab. The page asks for the schema and for the tables by itself."""
    if not request.url.endswith("/graphql"):
        return False
    asked = json.loads(request.post_data or "{}")
    name: str = asked.get("operationName", INTROSPECTION)
    return name != INTROSPECTION


class GraphiQL:
    """An open playground, and what it sent."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.posted: list[Request] = []
        """Operations of tabs, sent by POST."""
        self.frames: list[Any] = []
        """Messages sent over WebSockets."""
        self._document = page.get_by_role("region", name="Operation Editor")
        self._answer = page.get_by_role("region", name="Result Window")
        self._execute = page.get_by_role("button", name=re.compile("(Execute|Stop) query"))
        page.on("request", self._record)
        page.on("websocket", self._listen)

    def _tab(self, name: str) -> Locator:
        return self.page.get_by_role("tab").get_by_role("button", name=name, exact=True)

    def _record(self, request: Request) -> None:
        if _is_of_the_user(request):
            self.posted.append(request)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: self.frames.append(json.loads(frame)))

    async def has_open(self, operation: str) -> None:
        await expect(self._document).to_contain_text(operation)

    async def has_mistakes(self, *words: str) -> None:
        """The editor marks these words, which the schema does not have where they stand, and no others."""
        marks = self._document.locator(".squiggly-error")
        await expect(marks).to_have_count(len(words))
        for word in words:
            await expect(self._document.get_by_text(word, exact=True)).to_be_visible()

    async def run(self) -> None:
        """Run the open operation."""
        await self._execute.click()

    async def run_and_answer(self) -> Any:
        """Run the open operation, a query or mutation, and return its answer."""
        async with self.page.expect_response(lambda response: _is_of_the_user(response.request)) as response:
            await self.run()
        return await (await response.value).json()

    async def shows_result(self, text: str) -> None:
        """The result contains this text."""
        await expect(self._answer).to_contain_text(text)

    async def shows_events(self, *events: str) -> None:
        """The result contains these texts in this order."""
        # The editor writes spaces that do not break.
        patterns = (re.escape(event).replace("\\ ", r"\s") for event in events)
        await expect(self._answer).to_contain_text(re.compile(".*".join(patterns), re.DOTALL))

    async def result(self) -> Any:
        """Return the whole result, also what is not on the screen."""
        text: str = await self.page.evaluate(RESULT)
        return json.loads(text)

    async def open_tab(self, name: str) -> None:
        await self._tab(name).click()

    async def open_tab_and_run_immediately(self, name: str) -> None:
        """Open a tab and run its operation within one task of the page, which no user could do."""
        await self._tab(name).or_(self._execute).evaluate_all(CLICK_ALL)

    async def append(self, text: str) -> None:
        """Type at the end of the document."""
        await self._document.locator(".view-lines").click()
        await self.page.keyboard.press("ControlOrMeta+End")
        await self.page.keyboard.insert_text(text)

    async def stop(self) -> None:
        """Stop the running subscription."""
        await self._execute.click()

    async def send_headers(self, headers: dict[str, str]) -> None:
        """Fill the Headers editor."""
        await self.page.get_by_role("button", name="Headers").click()
        await self.page.get_by_role("region", name="Headers").locator(".view-lines").filter(visible=True).click()
        await self.page.keyboard.insert_text(json.dumps(headers))

    async def subscribe_over(self, transport: str) -> None:
        await self.page.get_by_role("radio", name=transport).check()

    async def has_stored(self, text: str) -> None:
        """The browser has stored this text of the active tab."""
        await self.page.wait_for_function(STORED, arg=text)

    async def reload(self) -> None:
        await self.page.reload()
