"""Fixtures for tests in a real browser."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.needs import require_browser

if TYPE_CHECKING:
    from tests.browser.visits import Visitor


@pytest.fixture
async def visitor() -> AsyncIterator["Visitor"]:
    """A browser for one test. One that does not start always fails the test."""
    require_browser()
    from tests.browser.visits import visiting

    async with visiting() as visitor:
        yield visitor
