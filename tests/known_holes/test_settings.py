"""Addresses that are set lead to a service by HTTP, never to a file or to what another service answers."""

from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.errors import BadSetting
from kvs_graphql.settings import load_settings
from tests.auth.issuer import AUDIENCE, ISSUER

FILES = ["file:///etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd", "/etc/passwd", "ftp://127.0.0.1/x", "data:,{}"]
OTHERS = [
    "gopher://127.0.0.1:25/x",
    "jar:https://a.example/!x",
    "unix:///run/x.sock",
    "ldap://127.0.0.1",
    "javascript:1",
]
URLS: dict[str, dict[str, Any]] = {
    "jwt_jwks_url": {"jwt_issuer": ISSUER, "jwt_audience": (AUDIENCE,)},
    "jwt_issuer": {"jwt_audience": (AUDIENCE,)},
    "schema_registry.url": {},
    "schema_registry.token_url": {"url": "https://registry.example", "client_id": "a", "client_secret": "b"},
    "kafka_oauth_token_url": {
        "kafka_security_protocol": "SASL_PLAINTEXT",
        "kafka_sasl_mechanism": "OAUTHBEARER",
        "kafka_oauth_client_id": "a",
        "kafka_oauth_client_secret": "b",
    },
}


@pytest.mark.parametrize("url", [*FILES, *OTHERS])
@pytest.mark.parametrize("name", URLS)
def test_no_setting_of_an_address_reads_a_file(name: str, url: str) -> None:
    load(name, "https://server.example/x")
    with pytest.raises(BadSetting) as refused:
        load(name, url)
    assert "root:" not in str(refused.value)


def load(name: str, url: str) -> None:
    section, _, field = name.rpartition(".")
    values = {**URLS[name], field: url}
    load_settings(bootstrap_servers="unused:9092", topic="t", **({section: values} if section else values))


def test_every_setting_of_an_address_is_among_these() -> None:
    """A new one has to be listed here, with how it is refused."""
    table = (Path(__file__).parent.parent.parent / "README.md").read_text()
    named = {part for part in table.split("`") if part.startswith("KVS_") and part.endswith(("URL", "ISSUER"))}
    known = {"KVS_" + name.replace(".", "__").upper() for name in URLS}
    # The address of the service itself, of which the commands are clients.
    assert named - {"KVS_URL"} == known
