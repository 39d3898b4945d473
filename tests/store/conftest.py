"""A database and a store for every test of the room."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kvs_graphql.database import Database, open_database
from kvs_graphql.store import Store
from kvs_graphql.store.schema import prepare
from tests.store.batches import ROOMY, TOPIC_ID


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kvs.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    """The database under `store`, for tests that set it up to fail or look at what it does."""
    async with open_database(path, prepare, readers=2) as database:
        yield database


@pytest.fixture
async def store(database: Database, path: Path) -> Store:
    """A store of two empty partitions that has caught up."""
    store = Store(database, ROOMY, path)
    await store.begin("topic", TOPIC_ID, (0, 0))
    await store.caught_up(1)
    return store
