"""From tokens to principals."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from kvs_graphql.access import Access
from kvs_graphql.auth import (
    Authenticator,
    Granting,
    JwtOptions,
    JwtVerifier,
    KeySource,
    StaticTokens,
    hash_of,
    new_token,
)
from kvs_graphql.auth import keys as keys_module
from kvs_graphql.errors import Unauthenticated
from tests.auth.issuer import AUDIENCE, ISSUER, Issuer, write_keys
from tests.deadline import NEVER_SECONDS

ANN, BOB = new_token(), new_token()


class Counting(JwtVerifier):
    """Counts what is verified."""

    calls = 0

    async def claims(self, token: str) -> dict[str, Any]:
        self.calls += 1
        return await super().claims(token)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def verifier(path: Path, *issuers: Issuer) -> Counting:
    file = write_keys(path / "jwks.json", *(issuer.jwk() for issuer in issuers))
    keys = KeySource(ISSUER, url=None, file=file, refresh_seconds=NEVER_SECONDS)
    return Counting(JwtOptions(ISSUER, (AUDIENCE,), ("ES256",), 1.0), keys)


def authenticator(jwts: JwtVerifier | None = None, *, allow_anonymous: bool = False, **options: Any) -> Authenticator:
    static = StaticTokens({"ann": hash_of(ANN), "bob": hash_of(BOB)})
    limits = {"tokens_cached_max": 100, "token_bytes_max": 4096, **options}
    return Authenticator(static, jwts, Granting(()), allow_anonymous=allow_anonymous, **limits)


@pytest.mark.parametrize("at", range(32))
def test_hash_that_differs_in_any_byte_is_of_nobody(at: int) -> None:
    digest = bytearray.fromhex(hash_of(ANN))
    tokens = StaticTokens({"ann": digest.hex(), "bob": hash_of(BOB)})
    assert tokens.principal(bytes(digest)) == "ann"
    digest[at] ^= 1
    assert tokens.principal(bytes(digest)) is None


async def test_static_tokens_are_of_their_principals() -> None:
    made = authenticator()
    for _ in range(2):
        assert [(await made.access(token)).principal for token in (ANN, BOB)] == ["ann", "bob"]


@pytest.mark.parametrize(
    "token",
    ["", "ann", hash_of(ANN), ANN[:-1], ANN.swapcase(), f"{ANN} ", "\ud800", new_token()],
    ids=["empty", "name", "hash", "shorter", "other case", "longer", "no text", "another"],
)
async def test_other_tokens_are_refused_and_the_log_has_none_of_them(token: str) -> None:
    with capture_logs() as logged, pytest.raises(Unauthenticated) as refused:
        await authenticator(allow_anonymous=True).access(token)
    assert refused.value.details == {}
    assert len(logged) == 1
    assert not token or token not in str(logged) + str(refused.value)


async def test_without_a_token_one_is_nobody_or_anyone() -> None:
    with pytest.raises(Unauthenticated, match="A bearer token is needed"):
        await authenticator().access(None)
    assert await authenticator(allow_anonymous=True).access(None) == Access("anonymous")


def test_each_token_is_another_one_and_scanners_of_secrets_can_find_it() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(token.startswith("kvs_") and len(token) > 40 for token in tokens)


async def test_token_is_verified_once_until_it_expires(tmp_path: Path) -> None:
    jwts, clock = verifier(tmp_path, Issuer()), Clock()
    token = Issuer().token()
    made = authenticator(jwts, clock=clock)
    first = await made.access(token)
    assert (first.principal, jwts.calls) == ("ann", 1)
    assert await made.access(token) is first
    assert first.expires_at is not None
    clock.seconds = first.expires_at
    with pytest.raises(Unauthenticated, match="expired"):
        await made.access(token)
    assert jwts.calls == 1


async def test_token_is_remembered_by_what_it_was_shown_in_until_it_expires(tmp_path: Path) -> None:
    jwts, clock = verifier(tmp_path, Issuer()), Clock()
    token = Issuer().token()
    made = authenticator(jwts, clock=clock)
    shown = b"Bearer " + token.encode()
    assert made.remembered(shown) is None
    access = await made.access(token, shown)
    assert made.remembered(shown) is access
    assert await made.access(token) is access
    assert made.remembered(token.encode()) is None, "no header has a token alone"
    assert access.expires_at is not None
    clock.seconds = access.expires_at
    assert made.remembered(shown) is None
    with pytest.raises(Unauthenticated, match="expired"):
        await made.access(token, shown)
    assert jwts.calls == 1


async def test_remembered_tokens_are_bounded(tmp_path: Path) -> None:
    jwts = verifier(tmp_path, Issuer())
    made = authenticator(jwts, tokens_cached_max=1)
    one, other = Issuer().token(), Issuer().token(sub="bob")
    for token in (one, one, other, one):
        await made.access(token)
    assert jwts.calls == 3


async def test_token_over_the_limit_is_not_even_looked_at(tmp_path: Path) -> None:
    jwts, token = verifier(tmp_path, Issuer()), Issuer().token()
    with pytest.raises(Unauthenticated):
        await authenticator(jwts, token_bytes_max=len(token) - 1).access(token)
    assert jwts.calls == 0
    assert await authenticator(jwts, token_bytes_max=len(token)).access(token)


async def test_token_of_a_withdrawn_key_is_refused_although_it_was_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "_UNKNOWN_KEY_SECONDS", 0.0)
    old, new = Issuer(key_id="old"), Issuer(number=1, key_id="new")
    jwts = verifier(tmp_path, old)
    made, token = authenticator(jwts), old.token()
    shown = b"Bearer " + token.encode()
    assert await made.access(token) is made.remembered(shown)
    write_keys(tmp_path / "jwks.json", new.jwk())
    await made.access(new.token())
    assert made.remembered(shown) is None
    with pytest.raises(Unauthenticated):
        await made.access(token)
