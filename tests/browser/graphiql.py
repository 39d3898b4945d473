"""The playground as its visitors use it."""

from playwright.async_api import Page, expect


class GraphiQL:
    """An open playground."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._document = page.get_by_role("region", name="Operation Editor")
        self._answer = page.get_by_role("region", name="Result Window")

    async def has_open(self, operation: str) -> None:
        await expect(self._document).to_contain_text(operation)

    async def run(self) -> None:
        """Run the operation that is open."""
        await self.page.get_by_role("button", name="Execute query").click()

    async def answers(self, text: str) -> None:
        """The answer contains that text."""
        await expect(self._answer).to_contain_text(text)
