"""The dashboard in each of its states: it names the problem, and is readable on any screen."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.needs import missing

if missing():
    NAMES = ["none"]
else:
    from tests.browser.states import STATES

    NAMES = list(STATES)

if TYPE_CHECKING:
    from tests.browser.visits import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


@pytest.mark.parametrize("name", NAMES)
async def test_each_state_is_named_and_readable_on_any_screen(visitor: "Visitor", tmp_path: Path, name: str) -> None:
    async with STATES[name](visitor.dashboard, tmp_path) as dashboard:
        for width, height in ((1280, 800), (390, 844)):
            await dashboard.resize(width, height)
            assert await dashboard.overflow() == (0, [])
            await dashboard.is_accessible(width)
