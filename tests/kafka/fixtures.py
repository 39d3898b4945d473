"""Fixtures for tests against a real broker, registered in `tests/conftest.py`."""

import os
import re
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.kafka.broker import QUICK_START, KafkaBroker
from tests.kafka.jars import KafkaMissing, jars, java
from tests.kafka.secured import SecuredBroker


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One broker for the whole session. A test that stops, kills or pauses it has to start or resume it.

    Skips with the reason where Java or the jars are missing, and fails instead under KVS_REQUIRE_KAFKA=1. A broker that
    does not start is always a failure.
    """
    require(java, jars)
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"), java_options=QUICK_START)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="module")
def secured_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """One broker with users, rights and certificates for the tests of a module. Skips as `kafka_broker` does."""
    require(java, jars)
    broker = SecuredBroker(tmp_path_factory.mktemp("secured"))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A unique topic name that contains the test's name. The topic is not created."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", request.node.name)[:100].strip("-")
    return f"{readable}-{uuid.uuid4().hex[:8]}"


def require(*needs: Callable[[], object]) -> None:
    """Skip, or under KVS_REQUIRE_KAFKA=1 fail, where one of these raises KafkaMissing."""
    try:
        for need in needs:
            need()
    except KafkaMissing as missing:
        if os.environ.get("KVS_REQUIRE_KAFKA") == "1":
            pytest.fail(f"KVS_REQUIRE_KAFKA=1, but: {missing}", pytrace=False)
        pytest.skip(str(missing))
