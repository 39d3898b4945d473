"""Tokens by client credentials: shared while they are valid, replaced in time, and asked for at one URL only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from kvs_graphql.credentials import Secret
from kvs_graphql.oauth import ClientCredentials, TokenError, Tokens
from tests.deadline import NEVER_SECONDS, SECONDS_MAX
from tests.plain import NO_TLS
from tests.registry.front import Front, Request, answering, front_of, sending

SECRET = "swordfish"  # noqa: S105 - of a server that lives as long as its test


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with front_of() as found:
        yield found


@asynccontextmanager
async def open_http() -> AsyncIterator[httpx.AsyncClient]:
    # Even a client that follows redirects must not follow this one.
    async with httpx.AsyncClient(verify=NO_TLS, follow_redirects=True, timeout=SECONDS_MAX, trust_env=False) as http:
        yield http


def tokens_of(front: Front, secret: Secret) -> Tokens:
    return Tokens(ClientCredentials(f"{front.url}/token", "me", secret), open_http)


async def test_token_is_shared_until_it_is_refused(front: Front) -> None:
    async def give(_: Request, writer: asyncio.StreamWriter) -> None:
        answer = {"access_token": f"token-{len(front.requests)}", "expires_in": NEVER_SECONDS}
        await answering(200, answer)(_, writer)

    front.behave(give)
    tokens = tokens_of(front, Secret(SECRET))
    assert set(await asyncio.gather(*(tokens.current() for _ in range(10)))) == {"token-1"}
    tokens.forget("token-0")
    assert await tokens.current() == "token-1"
    tokens.forget("token-1")
    assert await tokens.current() == "token-2"


async def test_secret_that_is_replaced_in_its_file_is_used_for_the_next_token(front: Front, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    secret = Secret("old", "KVS_FILE", file)
    tokens = tokens_of(front, secret)
    front.behave(answering(401))
    for known in ("old", "old", "new"):
        if known == "new":
            file.write_text("new\n")
        with pytest.raises(TokenError):
            await tokens.current()
    sent = [request.headers["authorization"] for request in front.requests]
    assert sent == ["Basic bWU6b2xk", "Basic bWU6b2xk", "Basic bWU6bmV3"]
    assert "new" not in repr(secret)


async def test_secret_is_not_sent_where_a_redirect_leads(front: Front) -> None:
    async with front_of() as elsewhere:
        elsewhere.behave(answering(200, {"access_token": "token"}))
        head = f"HTTP/1.1 307 Elsewhere\r\nlocation: {elsewhere.url}/token\r\ncontent-length: 0\r\n\r\n"
        front.behave(sending(head.encode()))
        with pytest.raises(TokenError, match="did not answer with a token: HTTP 307"):
            await tokens_of(front, Secret(SECRET)).current()
        assert elsewhere.requests == []
