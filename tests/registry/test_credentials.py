"""What the client shows the registry of itself, and how it finds the registry to be the right one."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from kvs_graphql.credentials import Secret
from kvs_graphql.oauth import ClientCredentials
from kvs_graphql.registry import (
    RegistryConnection,
    RegistryError,
    RegistryRefused,
    RegistryUnavailable,
    open_registry,
)
from kvs_graphql.schemas.connection import registry_of
from kvs_graphql.settings import load_settings
from tests.deadline import NEVER_SECONDS
from tests.ports import HOST
from tests.registry.failures import AVRO, PATIENT, SECRET, STRING, failure
from tests.registry.front import Behaviour, Front, Request, answering, flood, front_of


async def test_password_and_token_are_sent(front: Front) -> None:
    front.behave(answering(200, AVRO))
    connections = [
        RegistryConnection(front.url, username="ann", password=SECRET),
        RegistryConnection(front.url, token=SECRET, cluster="lsrc-1", identity_pool="pool-1"),
    ]
    for connection in connections:
        async with open_registry(connection, PATIENT) as registry:
            await registry.by_id(1)
    basic, bearer = (request.headers for request in front.requests)
    assert basic["authorization"] == "Basic YW5uOnN3b3JkZmlzaA=="
    assert bearer["authorization"] == f"Bearer {SECRET}"
    assert (bearer["target-sr-cluster"], bearer["confluent-identity-pool-id"]) == ("lsrc-1", "pool-1")


async def test_token_of_a_token_server_is_shared_and_replaced_when_it_is_refused(front: Front) -> None:
    tokens = 0

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal tokens
        if request.path == "/token":
            tokens += 1
            assert request.headers["authorization"] == "Basic bWU6c3dvcmRmaXNo"
            assert request.body == b"grant_type=client_credentials&scope=read"
            answer = {"access_token": f"token-{tokens}", "expires_in": NEVER_SECONDS}
            await answering(200, answer)(request, writer)
        else:
            accepted = request.headers["authorization"] == f"Bearer token-{valid}"
            await (answering(200, AVRO) if accepted else answering(401))(request, writer)

    front.behave(behave)
    credentials = ClientCredentials(f"{front.url}/token", "me", Secret(SECRET), "read")
    async with open_registry(RegistryConnection(front.url, credentials=credentials), PATIENT) as registry:
        valid = 1
        await asyncio.gather(*(registry.by_id(number) for number in range(20)))
        assert tokens == 1
        valid = 2
        await asyncio.gather(*(registry.by_id(number) for number in range(20, 40)))
        assert tokens == 2
        valid = 0
        error = await failure(registry, 50)
    assert type(error) is RegistryRefused
    assert SECRET not in str(error) + repr(credentials)


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        (answering(401, {"error": SECRET}), RegistryRefused, "refuses the client: HTTP 401"),
        (answering(200, {"access_token": f"{SECRET}\r\nX: y"}), RegistryUnavailable, "did not answer with a token"),
        (answering(200, b"[]"), RegistryUnavailable, "did not answer with a token"),
        (answering(503), RegistryUnavailable, "answered HTTP 503"),
        (flood, RegistryUnavailable, "sent more than 65,536 bytes"),
    ],
    ids=["refusing", "header", "garbage", "away", "endless"],
)
async def test_faulty_token_server_is_named(
    front: Front, behaviour: Behaviour, kind: type[RegistryError], words: str
) -> None:
    front.behave(behaviour)
    credentials = ClientCredentials(f"{front.url}/token", "me", Secret(SECRET))
    async with open_registry(RegistryConnection(front.url, credentials=credentials), PATIENT) as registry:
        error = await failure(registry)
    assert type(error) is kind
    assert str(error).startswith(f"the token server at {front.url}/token")
    assert words in str(error)
    assert SECRET not in str(error)


async def test_registry_knows_a_client_by_its_certificate() -> None:
    authority, other = trustme.CA(), trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(server)
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    known = ssl.create_default_context()
    authority.configure_trust(known)
    authority.issue_cert("client.example").configure_cert(known)
    nobody, strange = ssl.create_default_context(), ssl.create_default_context()
    authority.configure_trust(nobody)
    other.configure_trust(strange)
    async with front_of(tls=server) as front:
        front.behave(answering(200, AVRO))
        async with open_registry(RegistryConnection(front.url, tls=known), PATIENT) as registry:
            assert (await registry.by_id(1)).text == STRING
        async with open_registry(RegistryConnection(front.url, tls=strange), PATIENT) as registry:
            error = await failure(registry)
            assert ": its certificate is refused: " in str(error)
        async with open_registry(RegistryConnection(front.url, tls=nobody), PATIENT) as registry:
            assert str(await failure(registry)).startswith(f"the schema registry at {front.url}: ")


async def test_certificates_that_are_replaced_meanwhile_are_used(tmp_path: Path) -> None:
    authority, strange = trustme.CA(), trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(server)
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    files = {name: tmp_path / f"{name}.pem" for name in ("ca_file", "certificate_file", "key_file")}

    def write(own: trustme.CA) -> None:
        client = own.issue_cert("client.example")
        own.cert_pem.write_to_path(files["ca_file"])
        client.cert_chain_pems[0].write_to_path(files["certificate_file"])
        client.private_key_pem.write_to_path(files["key_file"])

    write(strange)
    async with front_of(tls=server) as front:
        front.behave(answering(200, AVRO))
        connection = registry_of(load_settings(schema_registry={**files, "url": front.url}))
        assert connection is not None
        async with open_registry(connection, PATIENT) as registry:
            with pytest.raises(RegistryUnavailable, match="its certificate is refused"):
                await registry.version("orders", 1)
            files["key_file"].write_text("half written")
            with pytest.raises(RegistryUnavailable, match="its certificate is refused"):
                await registry.version("orders", 1)
            write(authority)
            front.behave(answering(200, {**AVRO, "id": 1}))
            assert (await registry.version("orders", 1))[1].text == STRING
