"""Fixtures for Node.js with the real clients."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.clients.node import HERE, Node, missing, running_node


@pytest.fixture(scope="session")
def npm_clients() -> Path:
    """The directory in which the real clients are installed.

    Skips if they cannot be installed, or fails under KVS_REQUIRE_NODE=1.
    """
    reason = missing()
    if reason and os.environ.get("KVS_REQUIRE_NODE") == "1":
        pytest.fail(f"KVS_REQUIRE_NODE=1, but: {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)
    return HERE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(npm_clients: Path) -> AsyncIterator[Node]:
    """One process for all tests of a module, which run in the module's event loop."""
    async with running_node(npm_clients) as node:
        yield node
