"""From a token to its principal. Verified tokens are remembered until they expire."""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from cachetools import FIFOCache

from kvs_graphql.access import Access
from kvs_graphql.auth.grants import Granting
from kvs_graphql.auth.jwts import JwtVerifier
from kvs_graphql.auth.tokens import StaticTokens
from kvs_graphql.errors import Unauthenticated
from kvs_graphql.throttle import Throttle

log = structlog.get_logger(__name__)

_NEEDED = "A bearer token is needed."
_EXPIRED = "The token has expired."
_LOG_SECONDS = 1.0
_BEARER = b"Bearer "
"""Before a token in a header: no header that has only a token is ever remembered."""


@dataclass(frozen=True, slots=True)
class _Known:
    access: Access
    generation: int
    """Of the keys by which it was verified."""
    until: float
    """When it expires, in seconds since 1970."""


class Authenticator:
    """Tells who asks."""

    def __init__(
        self,
        tokens: StaticTokens,
        jwts: JwtVerifier | None,
        granting: Granting,
        *,
        allow_anonymous: bool,
        tokens_cached_max: int,
        token_bytes_max: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._jwts = jwts
        self._keys = None if jwts is None else jwts.keys
        self._granting = granting
        self.anonymous = Access("anonymous", granting.of_anonymous()) if allow_anonymous else None
        """Whoever shows no token; None where everybody has to."""
        self._token_bytes_max = token_bytes_max
        self._clock = clock
        # By their hashes: so a token takes little memory, and is nowhere in it. To keep those used of late instead of
        # those verified of late would cost each request more than verifying one of ten thousand anew.
        self._known: FIFOCache[bytes, _Known] = FIFOCache(tokens_cached_max)
        self._log = Throttle(_LOG_SECONDS)

    async def run(self) -> None:
        """Keep the keys of the issuer current."""
        if self._keys is not None:
            await self._keys.run()

    def remembered(self, shown: bytes) -> Access | None:
        """The principal of what was `shown` before; None where `access` has to tell."""
        try:
            known = self._known[hashlib.blake2b(shown).digest()]
        except KeyError:
            return None
        keys = self._keys
        if known.until <= self._clock() or (keys is not None and known.generation != keys.generation):
            return None
        return known.access

    async def access(self, token: str | None, shown: bytes | None = None) -> Access:
        """The principal of a token; `shown` is the header that the client sent it in, by which it is remembered.

        Raises:
            Unauthenticated: It is of none, or there is none and one is needed.
        """
        if token is None:
            if self.anonymous is None:
                raise Unauthenticated(_NEEDED)
            return self.anonymous
        # Of the hashes that nobody can find two tokens for, the fastest in software.
        name = hashlib.blake2b(_BEARER + _bytes_of(token) if shown is None else shown).digest()
        known = self._known.get(name)
        if known is None or known.generation != self._generation:
            known = self._known[name] = await self._verified(token)
        if known.until <= self._clock():
            raise Unauthenticated(_EXPIRED)
        return known.access

    @property
    def _generation(self) -> int:
        return 0 if self._keys is None else self._keys.generation

    async def _verified(self, token: str) -> _Known:
        try:
            access = await self._access(token)
        except Unauthenticated as error:
            self._log_refused(error.details.pop("reason", None))
            raise
        return _Known(access, self._generation, math.inf if access.expires_at is None else access.expires_at)

    async def _access(self, token: str) -> Access:
        principal = self._tokens.principal(hashlib.sha256(_bytes_of(token)).digest())
        if principal is not None:
            return Access(principal, self._granting.of_token(principal))
        if self._jwts is None or len(token) > self._token_bytes_max:
            raise Unauthenticated("The token is not valid.", reason="no principal has it, and it is no JWT")
        claims = await self._jwts.claims(token)
        expires_at = claims["exp"] + self._jwts.skew_seconds
        return Access(str(claims.get("sub", "")), self._granting.of_claims(claims), expires_at)

    def _log_refused(self, reason: object) -> None:
        if self._log.allow():
            log.info("refused a token", reason=reason)


def _bytes_of(token: str) -> bytes:
    return token.encode("utf-8", "surrogatepass")
