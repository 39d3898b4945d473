"""Fixtures for tests in a real browser."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest_asyncio

from tests.browser.needs import require_browser

if TYPE_CHECKING:
    from tests.browser.visits import Visitor


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def visitor() -> AsyncIterator["Visitor"]:
    """A browser for all of these tests; each visit has a profile of its own. One that does not start fails them."""
    require_browser()
    from tests.browser.visits import visiting

    async with visiting() as visitor:
        yield visitor
