"""No secret shows in any output, whatever the level of the log."""

import asyncio
import base64
from pathlib import Path

import orjson
import pytest
from confluent_kafka.admin import AclOperation
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.certificates import Certificates
from tests.deadline import SECONDS_MAX
from tests.kafka.produce import produce
from tests.kafka.replica import Replica, replica
from tests.kafka.secured import PASSWORD, USER, SecuredBroker
from tests.kafka.test_trouble import until_ready
from tests.registry.front import answering, front_of

pytestmark = pytest.mark.kafka

CANARY = "canary-b7c41-secret"
CLIENT_SECRET = "pike-0e2d-secret"  # noqa: S105 - of a server that lives as long as its test
HEADERS = {"authorization": f"Bearer {CANARY}", "cookie": f"session={CANARY}", "x-api-key": CANARY}


def ways_to_show(secret: str) -> set[str]:
    """The secret as it is, in hexadecimal, and as part of a text in base64, wherever it begins there."""
    raw = secret.encode()
    in_base64 = {base64.b64encode(bytes(before) + raw)[4:-4].decode() for before in range(3)}
    return {secret, raw.hex(), *in_base64}


async def use(service: Replica) -> None:
    """Send secrets as clients do: in header fields, in cookies, and in the payload of connection_init."""
    await until_ready(service.http)
    document = {"query": 'mutation { set(key: "b", value: "2") { offset } }'}
    response = await service.http.post("/graphql", json=document, headers=HEADERS)
    assert "errors" not in response.json()
    events = {"accept": "text/event-stream", **HEADERS}
    query = {"query": "subscription { updates(progress: true) { kind } }"}
    async with service.http.stream("GET", "/graphql", params=query, headers=events) as stream:
        assert stream.status_code == 200
    url = service.url.replace("http", "ws") + "/graphql"
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], additional_headers=HEADERS) as socket:
        await socket.send(orjson.dumps({"type": "connection_init", "payload": {"token": CANARY}}).decode())
        assert "connection_ack" in str(await socket.recv())


@pytest.mark.parametrize(
    ("mechanism", "form"), [("PLAIN", "json"), ("SCRAM-SHA-256", "console"), ("OAUTHBEARER", "json")]
)
async def test_no_output_shows_a_secret_at_the_level_debug(
    secured_broker: SecuredBroker,
    certificates: Certificates,
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mechanism: str,
    form: str,
) -> None:
    await asyncio.to_thread(secured_broker.create_topic, topic, 1, cleanup_policy="compact")
    rights = (AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE_CONFIGS)
    await asyncio.to_thread(secured_broker.allow, topic, *rights)
    produce(secured_broker.bootstrap_servers, topic, [(b"a", b"1")])
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "key-password").write_text(certificates.password)
    (tmp_path / "client-secret").write_text(CLIENT_SECRET)
    token = secured_broker.issuer.token()
    monkeypatch.setenv("KVS_ENABLE_WRITES", "true")
    is_oauth = mechanism == "OAUTHBEARER"
    servers = secured_broker.renewing_servers if is_oauth else secured_broker.sasl_servers
    settings = {
        "kafka_security_protocol": "SASL_SSL" if is_oauth else "SASL_PLAINTEXT",
        "kafka_sasl_mechanism": mechanism,
        "kafka_username": USER,
        "kafka_password_file": tmp_path / "password",
        "kafka_ca_file": secured_broker.certificate,
        "kafka_certificate_file": certificates.certificate,
        "kafka_key_file": certificates.key,
        "kafka_key_password_file": tmp_path / "key-password",
        "log_level": "debug",
        "log_format": form,
    }
    async with asyncio.timeout(SECONDS_MAX):
        async with front_of() as front:
            front.behave(answering(200, {"access_token": token}))
            settings |= {"kafka_oauth_token_url": f"{front.url}/token", "kafka_oauth_client_id": "kvs"}
            settings |= {"kafka_oauth_client_secret_file": tmp_path / "client-secret"}
            async with replica(servers, topic, tmp_path, **settings) as service:
                await use(service)
                shown_by_ps = Path(f"/proc/{service.pid}/cmdline").read_text()
            assert bool(front.requests) is is_oauth
    output = (tmp_path / "service.log").read_text()
    assert "SaslAuthenticateRequest" in output, "not at the level debug"
    for secret in (CANARY, PASSWORD, certificates.password, CLIENT_SECRET, token):
        assert secret not in shown_by_ps
        assert [way for way in ways_to_show(secret) if way in output] == []
