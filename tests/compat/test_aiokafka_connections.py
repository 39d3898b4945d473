"""Canaries: each fails with one sentence when aiokafka breaks `kvs_graphql.compat.aiokafka_connections`."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import AuthenticationFailedError, KafkaConnectionError
from aiokafka.protocol.admin import SaslAuthenticateRequest

from kvs_graphql.compat.aiokafka import ask_any_broker
from kvs_graphql.compat.aiokafka_connections import TokenProvider, unconnected, until_closed
from kvs_graphql.compat.aiokafka_requests import topic_metadata_request
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.compat.canary import canary
from tests.deadline import SECONDS_MAX
from tests.ports import HOST, free_port

SECRET = b"swordfish"


async def test_why_a_broker_cannot_be_connected_to_is_known_until_it_can(embedded_broker: EmbeddedBroker) -> None:
    servers = embedded_broker.bootstrap_servers
    unused = f"{HOST}:{free_port()}"
    with unconnected() as failures, canary("AIOKafkaClient no longer connects by `create_conn` of its own module."):
        absent, client = AIOKafkaClient(bootstrap_servers=unused), AIOKafkaClient(bootstrap_servers=servers)
        try:
            with pytest.raises(KafkaConnectionError):
                await absent.bootstrap()
            assert {address: type(error) for address, error in failures.items()} == {unused: ConnectionRefusedError}
            await client.bootstrap()
            failures[servers] = OSError()
            await client.ready(client.get_random_node())
            assert servers not in failures
        finally:
            await absent.close()
            await client.close()


async def test_connections_that_are_given_up_can_be_waited_for(
    embedded_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[AIOKafkaConnection]()
    connect = AIOKafkaConnection.connect

    async def noted(connection: AIOKafkaConnection) -> Any:
        opened.append(connection)
        return await connect(connection)

    monkeypatch.setattr(AIOKafkaConnection, "connect", noted)
    client = AIOKafkaClient(bootstrap_servers=embedded_broker.bootstrap_servers)
    await client.bootstrap()
    # The client gave the connection that it started with up at once, and does not know it any more.
    assert client._conns == {}
    assert [connection.close().done() for connection in opened] == [False]
    await until_closed()
    with canary("AIOKafkaConnection.close no longer returns a future that is done once it is closed."):
        assert [connection.close().done() for connection in opened] == [True]
    await client.close()


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "a..example"])
async def test_host_name_that_is_not_allowed_is_an_error_of_kafka(host: str) -> None:
    client = AIOKafkaClient(bootstrap_servers=f"{host}:9092")
    with unconnected() as failures, pytest.raises(KafkaConnectionError):
        await client.bootstrap()
    assert isinstance(failures[f"{host}:9092"].__cause__, UnicodeError)


@pytest.mark.parametrize("version", [0, 1])
def test_what_proves_who_asks_is_not_shown(version: int) -> None:
    with canary("aiokafka no longer authenticates by SaslAuthenticateRequest in the versions 0 and 1."):
        request = SaslAuthenticateRequest(SECRET).prepare({36: (0, version)})
        assert version == request.API_VERSION
        response = request.RESPONSE_TYPE(0, "", SECRET, *([0] * version))
        assert "swordfish" not in f"{request!r} {request} {response!r} {response}"


async def test_connection_is_replaced_when_it_is_due_and_closed_once_its_requests_are_answered(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    client = AIOKafkaClient(bootstrap_servers=embedded_broker.bootstrap_servers)
    request = topic_metadata_request(embedded_topic)
    try:
        await client.bootstrap()
        await ask_any_broker(client, request)
        with canary("AIOKafkaClient no longer finds its connections by `_get_conn`, in `_conns`, by node and group."):
            ((key, old),) = client._conns.items()
            old.renew_at = 0.0
            # These go on with the old connection.
            answers = [asyncio.ensure_future(ask_any_broker(client, request)) for _ in range(20)]
            async with asyncio.timeout(SECONDS_MAX):
                await asyncio.gather(*answers)
                while client._conns.get(key) is old:  # noqa: ASYNC110 - wakes nobody
                    await asyncio.sleep(0.01)
                fresh = client._conns[key]
                await ask_any_broker(client, request)
                while old.connected():  # noqa: ASYNC110 - wakes nobody
                    await asyncio.sleep(0.01)
            assert client._conns == {key: fresh}
    finally:
        await client.close()


async def test_connection_that_is_due_stays_in_use_while_it_cannot_be_replaced(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    client = AIOKafkaClient(bootstrap_servers=embedded_broker.bootstrap_servers)
    request = topic_metadata_request(embedded_topic)
    try:
        await client.bootstrap()
        await ask_any_broker(client, request)
        ((key, old),) = client._conns.items()
        old.renew_at, client._security_protocol, client._ssl_context = 0.0, "SSL", refused_context
        await ask_any_broker(client, request)
        async with asyncio.timeout(SECONDS_MAX):
            while not 0 < old.renew_at < float("inf"):  # noqa: ASYNC110 - wakes nobody
                await asyncio.sleep(0.01)
        await ask_any_broker(client, request)
        assert client._conns == {key: old}
    finally:
        await client.close()


async def test_connection_that_was_idle_for_too_long_is_not_used_again(
    embedded_broker: EmbeddedBroker, embedded_topic: str
) -> None:
    client = AIOKafkaClient(bootstrap_servers=embedded_broker.bootstrap_servers)
    request = topic_metadata_request(embedded_topic)
    try:
        await client.bootstrap()
        await ask_any_broker(client, request)
        ((key, old),) = client._conns.items()
        old.renew_at = old.expires_at = 0.0
        await ask_any_broker(client, request)
        assert not old.connected()
        assert [*client._conns] == [key]
    finally:
        await client.close()


def refused_context() -> Any:
    raise ConnectionRefusedError


async def test_connection_has_what_is_overridden_and_used() -> None:
    with canary("AIOKafkaConnection has other names than `_Connection` overrides and uses."):
        for name in (
            "_do_sasl_handshake",
            "_handle_frame",
            "authenticator_oauth",
            "close",
            "connect",
            "connected",
            "send",
        ):
            assert callable(getattr(AIOKafkaConnection, name))
        connection = AIOKafkaConnection(HOST, 1, request_timeout_ms=2_000)
        assert (len(connection._requests), connection._request_timeout) == (0, 2.0)


async def test_refused_token_ends_the_exchange(embedded_broker: EmbeddedBroker) -> None:
    class Given(TokenProvider):
        async def token(self) -> str:
            return "token"

    client = AIOKafkaClient(bootstrap_servers=embedded_broker.bootstrap_servers)
    try:
        await client.bootstrap()
        await client.ready(client.get_random_node())
        (connection,) = client._conns.values()
        connection._sasl_oauth_token_provider = Given()
        with canary("aiokafka's OAuthAuthenticator no longer ends with None after its only step."):
            accepted = connection.authenticator_oauth()
            assert await accepted.step(None) == (b"n,,\x01auth=Bearer token\x01\x01", True)
            assert await accepted.step(b"") is None
        refused = connection.authenticator_oauth()
        await refused.step(None)
        assert await refused.step(b'{"status":"invalid_token"}') == (b"\x01", True)
        with pytest.raises(AuthenticationFailedError):
            await refused.step(b"something else")
    finally:
        await client.close()
