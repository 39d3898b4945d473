"""The tokens with which this service authenticates with brokers, by SASL OAUTHBEARER (KIP-255)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from aiokafka.errors import KafkaError

from kvs_graphql.compat.aiokafka_connections import TokenProvider
from kvs_graphql.credentials import ClientTls
from kvs_graphql.oauth import ClientCredentials, ClientRefused, TokenError, Tokens

_SECONDS_MAX = 10.0


class NoToken(KafkaError):
    """The OAuth server gives no token."""


class TokenRefused(NoToken):
    """The OAuth server does not give tokens to this client. An operator has to act."""


class BrokerTokens(TokenProvider):
    """The tokens of all connections to Kafka. `tls` is for the OAuth server."""

    def __init__(self, credentials: ClientCredentials, tls: ClientTls) -> None:
        self._tls = tls
        self._tokens = Tokens(credentials, self._open_http)
        self._last = ""

    async def token(self) -> str:
        """A token that has not expired.

        Raises:
            NoToken: The server gives none.
        """
        try:
            async with asyncio.timeout(_SECONDS_MAX):
                self._last = await self._tokens.current()
        except TimeoutError:
            raise NoToken(f"{self._tokens.name} did not answer within {_SECONDS_MAX:g} s") from None
        except ClientRefused as error:
            raise TokenRefused(f"{error} (KVS_KAFKA_OAUTH_CLIENT_ID, KVS_KAFKA_OAUTH_CLIENT_SECRET)") from None
        except TokenError as error:
            raise NoToken(str(error)) from None
        return self._last

    def refused(self) -> None:
        """Note that a broker refused the last token: its issuer may have new keys."""
        self._tokens.forget(self._last)

    @asynccontextmanager
    async def _open_http(self) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(verify=self._tls.current(), timeout=None) as http:  # noqa: S113 - bounded above
            yield http
