"""A start that Kafka refuses ends with exit code 5 and one line that names the broker, the cause and what to set."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation

from tests.cli.test_read import Ended, ended
from tests.kafka.produce import produce
from tests.kafka.secured import PASSWORD, USER, SecuredBroker, make_certificate

pytestmark = pytest.mark.kafka

REFUSED = 5
WRONG = "salmon-99"
PYTHON = re.compile(r"Error\b|Errno|Exception|Traceback|<\w|\(['\"]|object at|_ssl\.c|AddressFamily")
SASL = {"KVS_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KVS_KAFKA_USERNAME": USER, "KVS_KAFKA_PASSWORD": PASSWORD}


@pytest.fixture
def readable(secured_broker: SecuredBroker, topic: str) -> str:
    """A topic with a record."""
    secured_broker.create_topic(topic, 1, cleanup_policy="compact")
    produce(secured_broker.bootstrap_servers, topic, [(b"a", b"1")])
    return topic


async def start(servers: str, topic: str, directory: Path, environment: dict[str, Any]) -> Ended:
    """Start a service that is expected to end by itself."""
    flags = ("--bootstrap-servers", servers, "--topic", topic, "--port", "0")
    return await ended("serve", *flags, directory=directory, **environment)


def names(found: Ended, *named: str) -> None:
    """Assert that the start was refused and that its last line names these, in words."""
    assert found.code == REFUSED, found.errors
    line = found.errors.splitlines()[-1]
    assert line.startswith("kvs-graphql: No access to Kafka: ")
    for name in named:
        assert name in line
    assert not PYTHON.search(found.errors), found.errors
    assert WRONG not in found.errors
    assert PASSWORD not in found.errors


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
async def test_wrong_password_is_named(
    secured_broker: SecuredBroker, readable: str, tmp_path: Path, mechanism: str
) -> None:
    login = {**SASL, "KVS_KAFKA_SASL_MECHANISM": mechanism, "KVS_KAFKA_PASSWORD": WRONG}
    found = await start(secured_broker.sasl_servers, readable, tmp_path, login)
    names(found, secured_broker.sasl_servers, "the user or the password is refused", "KVS_KAFKA_PASSWORD")


async def test_mechanism_that_the_broker_does_not_support_is_named(
    secured_broker: SecuredBroker, readable: str, tmp_path: Path
) -> None:
    login = {**SASL, "KVS_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"}
    found = await start(secured_broker.sasl_servers, readable, tmp_path, login)
    names(found, secured_broker.sasl_servers, "KVS_KAFKA_SASL_MECHANISM")


async def test_untrusted_certificate_is_named(secured_broker: SecuredBroker, readable: str, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    make_certificate(tmp_path / "other.p12", other)
    trust = {"KVS_KAFKA_SECURITY_PROTOCOL": "SSL", "KVS_KAFKA_CA_FILE": str(other)}
    found = await start(secured_broker.tls_servers, readable, tmp_path, trust)
    names(found, secured_broker.tls_servers, "certificate is refused", "self-signed certificate", "KVS_KAFKA_CA_FILE")


async def test_host_name_that_the_certificate_is_not_for_is_named(
    secured_broker: SecuredBroker, readable: str, tmp_path: Path
) -> None:
    servers = secured_broker.tls_servers.replace("localhost", "127.0.0.1")
    trust = {"KVS_KAFKA_SECURITY_PROTOCOL": "SSL", "KVS_KAFKA_CA_FILE": str(secured_broker.certificate)}
    names(await start(servers, readable, tmp_path, trust), servers, "not valid for '127.0.0.1'")


@pytest.mark.parametrize("right", [None, AclOperation.DESCRIBE])
async def test_missing_right_is_named(
    secured_broker: SecuredBroker, readable: str, tmp_path: Path, right: AclOperation | None
) -> None:
    if right is not None:
        await asyncio.to_thread(secured_broker.allow, readable, right)
    found = await start(secured_broker.sasl_servers, readable, tmp_path, SASL)
    names(found, f"the user lacks rights on topic '{readable}'", "READ")
