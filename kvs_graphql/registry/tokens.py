"""Access tokens by OAuth's grant of client credentials (RFC 6749, section 4.4)."""

import asyncio
import time

import httpx

from kvs_graphql.registry.connection import ClientCredentials
from kvs_graphql.registry.errors import RegistryUnavailable
from kvs_graphql.registry.exchange import Unauthorised, exchange, parsed
from kvs_graphql.registry.words import without_secrets

_ANSWER_BYTES_MAX = 65_536
_LIFE_USED_MAX = 0.8
"""The part of its life after which a token is replaced."""
_LIFE_SECONDS = 300
"""Where the server does not say how long a token lives."""


class Tokens:
    """The token in use, replaced before it expires. Whoever asks meanwhile waits for the same request."""

    def __init__(self, http: httpx.AsyncClient, credentials: ClientCredentials) -> None:
        self._http = http
        self._credentials = credentials
        self._name = f"the token server at {without_secrets(credentials.token_url)}"
        self._token = ""
        self._replaced_at = 0.0
        self._lock = asyncio.Lock()

    async def current(self) -> str:
        """A token that has not expired.

        Raises:
            RegistryError: The server gives none.
        """
        async with self._lock:
            if not self._token or time.monotonic() >= self._replaced_at:
                await self._replace()
            return self._token

    async def other_than(self, refused: str) -> str:
        """A token after that one, which the registry did not take.

        Raises:
            RegistryError: The server gives none.
        """
        async with self._lock:
            if self._token == refused:
                await self._replace()
            return self._token

    async def _replace(self) -> None:
        one = self._credentials
        form = {"grant_type": "client_credentials", **({} if one.scope is None else {"scope": one.scope})}
        status, body = await exchange(
            self._http,
            "POST",
            one.token_url,
            self._name,
            _ANSWER_BYTES_MAX,
            data=form,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            auth=(one.client_id, one.client_secret),
        )
        if status in (400, 401, 403):
            raise Unauthorised(f"{self._name} refuses the client: HTTP {status}")
        found = parsed(body) if status == 200 else None
        answer = found if isinstance(found, dict) else {}
        token = answer.get("access_token")
        # It becomes a header.
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise RegistryUnavailable(f"{self._name} did not answer with a token: HTTP {status}")
        life = answer.get("expires_in", _LIFE_SECONDS)
        seconds = life if isinstance(life, int) and life > 0 else _LIFE_SECONDS
        self._token, self._replaced_at = token, time.monotonic() + seconds * _LIFE_USED_MAX
