"""Fixtures for tests in a real browser."""

import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.needs import missing

if TYPE_CHECKING:
    from tests.browser.visits import Visitor


@pytest.fixture
async def visitor() -> AsyncIterator["Visitor"]:
    """A browser for one test.

    Skips the test if a requirement is missing, or fails under KVS_REQUIRE_BROWSER=1. A browser that does not start
    always fails the test.
    """
    reason = missing()
    if reason and os.environ.get("KVS_REQUIRE_BROWSER") == "1":
        pytest.fail(f"KVS_REQUIRE_BROWSER=1, but: {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)
    from tests.browser.visits import visiting

    async with visiting() as visitor:
        yield visitor
