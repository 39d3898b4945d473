"""A service that knows who asks, and requests to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.demo.broker import EmbeddedBroker
from tests.auth.issuer import AUDIENCE, ISSUER, Issuer, write_keys
from tests.deadline import SECONDS_MAX
from tests.serving import Served, serving_topic

TOKEN = new_token()
PROXY = "127.0.0.2"
QUERY = {"query": '{ value(key: "a") { value } }'}
SUBSCRIPTION = {"query": "subscription { updates(snapshot: true) { entry { value } kind } }"}
EVENTS = "text/event-stream"


@asynccontextmanager
async def serving_known(embedded_broker: EmbeddedBroker, directory: Path) -> AsyncIterator[Served]:
    """Serve those who have a static token or one of the issuer, behind a proxy and to pages of another origin."""
    settings: dict[str, Any] = {
        "tokens": (f"ann:{hash_of(TOKEN)}",),
        "jwt_issuer": ISSUER,
        "jwt_audience": (AUDIENCE,),
        "jwt_jwks_file": write_keys(directory / "jwks.json", Issuer().jwk()),
        "enable_writes": True,
        "cors_origins": ("https://pages.example",),
        "forwarded_allow_ips": (PROXY,),
    }
    async with serving_topic(embedded_broker, directory, (b"a", b"1"), **settings) as topic:
        yield topic.served


def token_of(kind: str) -> str:
    """A token of either kind."""
    return TOKEN if kind == "static" else Issuer().token()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def arguments(method: str, body: dict[str, str], accept: str, headers: dict[str, str]) -> dict[str, Any]:
    return {"headers": headers | {"accept": accept}} | ({"params": body} if method == "GET" else {"json": body})


async def first_part(served: Served, method: str, body: dict[str, str], accept: str, headers: dict[str, str]) -> bytes:
    """Return an answer until it has the value."""
    found = b""
    async with (
        asyncio.timeout(SECONDS_MAX),
        served.http.stream(method, "/graphql", **arguments(method, body, accept, headers)) as answer,
    ):
        assert answer.status_code == 200
        async for chunk in answer.aiter_bytes():
            found += chunk
            if b'"value":"1"' in found:
                break
    return found
