"""The service at a broker that demands a certificate, a password or a token, and that ends sessions after a while."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from confluent_kafka.admin import AclOperation, ScramMechanism
from structlog.testing import capture_logs

from kvs_graphql.compat.aiokafka_connections import until_closed
from kvs_graphql.credentials import ClientTls
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.state import State
from tests.cli.test_read import ended
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.kafka.equality import assert_equal_to_the_log
from tests.kafka.produce import produce
from tests.kafka.secured import PASSWORD, USER, SecuredBroker
from tests.kafka.test_refusals import names
from tests.registry.front import Front, Request, answering, front_of, sending
from tests.serving import Served, serving

pytestmark = pytest.mark.kafka

RIGHTS = (AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE_CONFIGS)
SECRET = "salmon-99"  # noqa: S105 - of a broker and of a server that live as long as their test
WRONG = "swordfish-99"
WRITE = 'mutation { set(key: "b", value: "2") { offset } }'
AUTHENTICATIONS = 3
"""One for each connection of a table that is read and written."""


@pytest.fixture
async def tokens(secured_broker: SecuredBroker) -> AsyncIterator[Front]:
    """A server that gives tokens to the client with `SECRET`."""

    async def give(request: Request, writer: asyncio.StreamWriter) -> None:
        assert request.path == "/token"
        known = request.headers["authorization"] == "Basic a3ZzOnNhbG1vbi05OQ=="
        answer = {"access_token": secured_broker.issuer.token(), "expires_in": 3600}
        await (answering(200, answer) if known else answering(401))(request, writer)

    async with front_of() as front:
        front.behave(give)
        yield front


@pytest.fixture
async def readable(secured_broker: SecuredBroker, topic: str) -> str:
    """A topic with a record, and with the least rights."""
    await asyncio.to_thread(secured_broker.create_topic, topic, 1, cleanup_policy="compact")
    await asyncio.to_thread(secured_broker.allow, topic, *RIGHTS)
    produce(secured_broker.bootstrap_servers, topic, [(b"a", b"1")])
    return topic


def with_token(broker: SecuredBroker, tokens: Front, **others: Any) -> dict[str, Any]:
    return {
        "kafka_security_protocol": "SASL_SSL",
        "kafka_ca_file": broker.certificate,
        "kafka_sasl_mechanism": "OAUTHBEARER",
        "kafka_oauth_token_url": f"{tokens.url}/token",
        "kafka_oauth_client_id": "kvs",
        "kafka_oauth_client_secret": SECRET,
        **others,
    }


def with_password(broker: SecuredBroker, **others: Any) -> dict[str, Any]:
    return {
        "kafka_security_protocol": "SASL_SSL",
        "kafka_ca_file": broker.certificate,
        "kafka_sasl_mechanism": "SCRAM-SHA-512",
        "kafka_username": USER,
        **others,
    }


async def use_while_sessions_end(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Write and read until every connection has authenticated anew, and assert that nobody noticed."""
    await served.state(State.LIVE)
    states = list[State]()
    served.unit.lifecycle.listen(lambda moment: states.append(moment.state))
    caplog.set_level(logging.INFO, "aiokafka.conn")
    caplog.clear()
    while sum("Authenticated" in line for line in caplog.messages) < AUTHENTICATIONS:
        assert "errors" not in await served.query(WRITE)
    assert states == [State.LIVE]


async def test_client_with_a_certificate_is_served(
    secured_broker: SecuredBroker, readable: str, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    secured_broker.client_certificate(certificate, key)
    files = {"kafka_certificate_file": certificate, "kafka_key_file": key}
    settings = {"kafka_security_protocol": "SSL", "kafka_ca_file": secured_broker.certificate, **files}
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving(secured_broker.mutual_servers, readable, tmp_path, enable_writes=True, **settings) as served,
    ):
        await served.state(State.LIVE)
        assert "errors" not in await served.query(WRITE)
        await assert_equal_to_the_log(served, secured_broker, readable)


async def test_table_stays_live_and_no_write_fails_while_sessions_with_tokens_end(
    secured_broker: SecuredBroker, tokens: Front, readable: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = with_token(secured_broker, tokens, kafka_oauth_scope="read", write_seconds_max=NEVER_SECONDS)
    with capture_logs() as logged:
        async with (
            asyncio.timeout(SECONDS_MAX),
            serving(secured_broker.renewing_servers, readable, tmp_path, enable_writes=True, **settings) as served,
        ):
            await use_while_sessions_end(served, caplog)
            await assert_equal_to_the_log(served, secured_broker, readable)
    assert [line for line in logged if "failed" in line["event"] or "without an answer" in line["event"]] == []
    # All connections share a token for as long as it is valid.
    assert [request.body for request in tokens.requests] == [b"grant_type=client_credentials&scope=read"]


async def test_password_that_is_replaced_in_its_file_is_used_by_the_next_connections(
    secured_broker: SecuredBroker, readable: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    settings = with_password(secured_broker, kafka_password_file=file, write_seconds_max=NEVER_SECONDS)
    try:
        async with (
            asyncio.timeout(SECONDS_MAX),
            serving(secured_broker.renewing_servers, readable, tmp_path, enable_writes=True, **settings) as served,
        ):
            await served.state(State.LIVE)
            await asyncio.to_thread(secured_broker.set_password, ScramMechanism.SCRAM_SHA_512, SECRET)
            file.write_text(f"{SECRET}\n")
            # Until the file was written, the old password was refused.
            await served.state(State.LIVE)
            await use_while_sessions_end(served, caplog)
    finally:
        await asyncio.to_thread(secured_broker.set_password, ScramMechanism.SCRAM_SHA_512, PASSWORD)


async def test_table_is_served_with_wrong_credentials_after_a_restart_until_they_are_right(
    secured_broker: SecuredBroker, readable: str, tmp_path: Path
) -> None:
    """Otherwise, whatever starts the service again would do so in vain, and nobody could read."""
    file = tmp_path / "password"
    settings = with_password(secured_broker, kafka_password_file=file)
    file.write_text(PASSWORD)
    async with asyncio.timeout(SECONDS_MAX):
        async with serving(secured_broker.renewing_servers, readable, tmp_path, **settings) as served:
            await served.state(State.LIVE)
        file.write_text(WRONG)
        with capture_logs() as logged:
            async with serving(secured_broker.renewing_servers, readable, tmp_path, **settings) as served:
                await served.reason(
                    f"no access: {secured_broker.renewing_servers}: the user or the password is refused"
                )
                assert served.unit.lifecycle.moment.state is State.WAITING_FOR_BROKER
                assert (await served.http.get("/readyz")).status_code == 503
                assert await served.data('{ value(key: "a") { value } }') == {"value": {"value": "1"}}
                file.write_text(PASSWORD)
                await served.state(State.LIVE)
    assert WRONG not in str(logged)


async def test_certificates_that_are_replaced_in_their_files_are_used_by_the_next_connection(
    secured_broker: SecuredBroker, tmp_path: Path
) -> None:
    trusted, certificate, key = (tmp_path / name for name in ("trusted.pem", "client.pem", "client.key"))
    other = trustme.CA()
    other.cert_pem.write_to_path(str(trusted))
    unknown = other.issue_cert("client.example")
    unknown.cert_chain_pems[0].write_to_path(str(certificate))
    unknown.private_key_pem.write_to_path(str(key))
    connection = KafkaConnection(
        secured_broker.mutual_servers, security_protocol="SSL", tls=ClientTls(trusted, certificate, key)
    )
    client = AIOKafkaClient(**connection.arguments())
    try:
        with pytest.raises(KafkaConnectionError):
            await client.bootstrap()
        trusted.write_bytes(secured_broker.certificate.read_bytes())
        with pytest.raises(KafkaConnectionError):
            await client.bootstrap()
        # Files that do not belong together yet leave things as they were.
        secured_broker.client_certificate(certificate, tmp_path / "next.key")
        with pytest.raises(KafkaConnectionError):
            await client.bootstrap()
        (tmp_path / "next.key").rename(key)
        await client.bootstrap()
    finally:
        await client.close()
        await until_closed()


async def test_token_that_the_broker_refuses_is_named_and_not_shown(
    secured_broker: SecuredBroker, tokens: Front, readable: str, tmp_path: Path
) -> None:
    token = secured_broker.issuer.token(aud="somebody else")
    tokens.behave(answering(200, {"access_token": token, "expires_in": 3600}))
    found = await start(secured_broker, with_token(secured_broker, tokens), readable, tmp_path)
    names(found, secured_broker.renewing_servers, "the token is refused", "KVS_KAFKA_OAUTH_")
    assert token not in found.errors


async def test_client_that_the_token_server_refuses_is_named(
    secured_broker: SecuredBroker, tokens: Front, readable: str, tmp_path: Path
) -> None:
    settings = with_token(secured_broker, tokens, kafka_oauth_client_secret=WRONG)
    found = await start(secured_broker, settings, readable, tmp_path)
    names(found, secured_broker.renewing_servers, f"{tokens.url}/token refuses the client", "CLIENT_SECRET")
    assert WRONG not in found.errors


async def test_secret_goes_to_no_other_url_and_table_goes_live_once_there_is_a_token(
    secured_broker: SecuredBroker, tokens: Front, readable: str, tmp_path: Path
) -> None:
    elsewhere = f"HTTP/1.1 307 Elsewhere\r\nlocation: {tokens.url}/token\r\ncontent-length: 0\r\n\r\n"
    tokens.behave(sending(elsewhere.encode()))
    settings = with_token(secured_broker, tokens)
    async with (
        asyncio.timeout(SECONDS_MAX),
        serving(secured_broker.renewing_servers, readable, tmp_path, **settings) as served,
    ):
        await served.reason("did not answer with a token: HTTP 307")
        tokens.behave(answering(200, {"access_token": secured_broker.issuer.token(), "expires_in": 3600}))
        await served.state(State.LIVE)


async def start(broker: SecuredBroker, settings: dict[str, Any], topic: str, directory: Path) -> Any:
    """Start a service that is expected to end by itself."""
    environment: dict[str, Any] = {f"KVS_{name.upper()}": str(value) for name, value in settings.items()}
    flags = ("--bootstrap-servers", broker.renewing_servers, "--topic", topic, "--port", "0")
    return await ended("serve", *flags, directory=directory, **environment)
