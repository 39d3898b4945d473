"""The tokens for a registry, by OAuth, with errors that say what they mean for the registry."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import httpx

from kvs_graphql import oauth
from kvs_graphql.oauth import ClientCredentials, ClientRefused, TokenError, TokenServerAway
from kvs_graphql.registry.errors import RegistryUnavailable
from kvs_graphql.registry.exchange import Away, Unauthorised


class Tokens:
    """The token in use. It comes over the connections to the registry."""

    def __init__(self, http: httpx.AsyncClient, credentials: ClientCredentials) -> None:
        self._tokens = oauth.Tokens(credentials, lambda: nullcontext(http))

    async def current(self) -> str:
        """A token that has not expired.

        Raises:
            RegistryError: The server gives none.
        """
        with _as_of_the_registry():
            return await self._tokens.current()

    async def other_than(self, refused: str) -> str:
        """A token after that one, which the registry did not take.

        Raises:
            RegistryError: The server gives none.
        """
        with _as_of_the_registry():
            return await self._tokens.other_than(refused)


@contextmanager
def _as_of_the_registry() -> Iterator[None]:
    try:
        yield
    except ClientRefused as error:
        raise Unauthorised(str(error)) from None
    except TokenServerAway as error:
        raise Away(str(error)) from None
    except TokenError as error:
        raise RegistryUnavailable(str(error)) from None
