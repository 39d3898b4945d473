"""Fixtures for all tests."""

import signal
from collections.abc import Iterator
from uuid import uuid4

import pytest
from hypothesis import settings

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.certificates import Certificates, make_certificates

# Slow machines may take any time for an example.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# Shells start background jobs with Ctrl-C ignored, and so would be the processes that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    *("tests.kafka.fixtures", "tests.clients.fixtures", "tests.registry.fixtures"),
    *("tests.sampling", "tests.order"),
]


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """One embedded broker for all tests that use only topics of their own."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A client's certificate, its key, and another one."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def embedded_topic(embedded_broker: EmbeddedBroker) -> str:
    """A new topic of three partitions on the embedded broker."""
    name = f"topic-{uuid4().hex}"
    embedded_broker.create_topic(name, 3)
    return name


@pytest.fixture(scope="session", params=["", "orders"], ids=["the only table", "a named table"])
def table(request: pytest.FixtureRequest) -> str:
    """The name of the table that a test is about: empty for the only one of a service."""
    name: str = request.param
    return name
