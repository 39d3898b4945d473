"""Access tokens by OAuth's grant of client credentials (RFC 6749, section 4.4)."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import httpx

from kvs_graphql.credentials import Secret
from kvs_graphql.outgoing import AnswerTooLarge, NoAnswer, exchange, parsed, without_secrets

_ANSWER_BYTES_MAX = 65_536
_LIFE_USED_MAX = 0.8
"""The part of its life after which a token is replaced."""
_LIFE_SECONDS = 300
"""Where the server does not say how long a token lives."""


class TokenError(Exception):
    """The server gives no token. The message is one line, without secrets, and without text that the server sent."""


class TokenServerAway(TokenError):
    """The server is away, overloaded or failing. Asking later may help."""


class ClientRefused(TokenError):
    """The server does not give tokens to this client. An operator has to act."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """How to get tokens from an OAuth server: by the grant of client credentials."""

    token_url: str
    client_id: str
    client_secret: Secret
    scope: str | None = None


class Tokens:
    """The token in use, replaced before it expires. Whoever asks meanwhile waits for the same request.

    `open_http` gives the client of a request. Redirects are not followed: the secret goes to this URL only.
    """

    def __init__(
        self, credentials: ClientCredentials, open_http: Callable[[], AbstractAsyncContextManager[httpx.AsyncClient]]
    ) -> None:
        self._credentials = credentials
        self._open_http = open_http
        self.name = f"the token server at {without_secrets(credentials.token_url)}"
        self._token = ""
        self._replaced_at = 0.0
        self._lock = asyncio.Lock()

    async def current(self) -> str:
        """A token that has not expired.

        Raises:
            TokenError: The server gives none.
        """
        async with self._lock:
            if not self._token or time.monotonic() >= self._replaced_at:
                await self._replace()
            return self._token

    async def other_than(self, refused: str) -> str:
        """A token after that one, which was not accepted.

        Raises:
            TokenError: The server gives none.
        """
        self.forget(refused)
        return await self.current()

    def forget(self, refused: str) -> None:
        """Replace that token, which was not accepted, the next time that one is needed."""
        if self._token == refused:
            self._token = ""

    async def _replace(self) -> None:
        one = self._credentials
        form = {"grant_type": "client_credentials", **({} if one.scope is None else {"scope": one.scope})}
        try:
            async with self._open_http() as http:
                status, body = await exchange(
                    http,
                    "POST",
                    one.token_url,
                    self.name,
                    _ANSWER_BYTES_MAX,
                    data=form,
                    headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                    auth=(one.client_id, one.client_secret.current()),
                    follow_redirects=False,
                )
        except NoAnswer as error:
            raise TokenServerAway(str(error)) from None
        except AnswerTooLarge as error:
            raise TokenError(str(error)) from None
        if status == 429 or status >= 500:
            raise TokenServerAway(f"{self.name} answered HTTP {status}")
        if status in (400, 401, 403):
            raise ClientRefused(f"{self.name} refuses the client: HTTP {status}")
        found = parsed(body) if status == 200 else None
        self._take(found if isinstance(found, dict) else {}, status)

    def _take(self, answer: dict[str, object], status: int) -> None:
        token = answer.get("access_token")
        # It becomes a header, or a part of a message with separators that are not printable.
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise TokenError(f"{self.name} did not answer with a token: HTTP {status}")
        life = answer.get("expires_in", _LIFE_SECONDS)
        seconds = life if isinstance(life, int) and life > 0 else _LIFE_SECONDS
        self._token, self._replaced_at = token, time.monotonic() + seconds * _LIFE_USED_MAX
