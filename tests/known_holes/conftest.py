"""One service for all of these tests, as it is by default but for writes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.auth.issuer import AUDIENCE, ISSUER, Issuer, write_keys
from tests.serving import Served, serving_topic

TOKEN = new_token()
ISSUERS = (Issuer(), Issuer("ES384", key_id="strong"), Issuer("RS256", key_id="old"))
"""The keys of the issuer; the service allows the algorithm of the first one only."""


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def served(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    directory = tmp_path_factory.mktemp("holes")
    async with serving_topic(embedded_broker, directory, (b"a", b"1"), enable_writes=True) as topic:
        yield topic.served


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def guarded(embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The same where clients have to show a token."""
    directory = tmp_path_factory.mktemp("guarded")
    settings: dict[str, Any] = {
        "tokens": (f"ann:{hash_of(TOKEN)}",),
        "jwt_issuer": ISSUER,
        "jwt_audience": (AUDIENCE,),
        "jwt_algorithms": ("ES256",),
        "jwt_jwks_file": write_keys(directory / "jwks.json", *(issuer.jwk() for issuer in ISSUERS)),
    }
    async with serving_topic(embedded_broker, directory, (b"a", b"1"), **settings) as topic:
        yield topic.served
