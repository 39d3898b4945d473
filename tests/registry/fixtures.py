"""Fixtures with a real schema registry, registered in `tests/conftest.py`."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from tests.kafka.fixtures import require
from tests.kafka.jars import java
from tests.registry.apicurio import Apicurio, registry_files
from tests.registry.front import Front, front_of


@pytest.fixture(scope="session")
def apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    """One registry for all tests that use only subjects of their own. A test that pauses it has to resume it.

    Skips where Java or the registry's files are missing, and fails instead under KVS_REQUIRE_KAFKA=1.
    """
    require(java, registry_files)
    registry = Apicurio(tmp_path_factory.mktemp("apicurio"))
    registry.start()
    try:
        yield registry
    finally:
        registry.close()


@pytest.fixture
def subject() -> str:
    """A subject that no other test uses. It is not there yet."""
    return f"subject-{uuid4().hex}"


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    """A registry of a test's own, that answers as the test says."""
    async with front_of() as front:
        yield front
