"""Requests to a registry: bounded in time and bytes, repeated where that means something, answered in JSON or refused.

confluent-kafka's `AsyncSchemaRegistryClient` does not fit: it reads answers of any size into memory, its time-outs
start over with each byte that arrives, and its errors quote what the registry or the OAuth server sent. httpx is here
for the commands already.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from kvs_graphql.backoff import Backoff
from kvs_graphql.outgoing import parsed, without_secrets
from kvs_graphql.registry.connection import RegistryConnection, RegistryLimits
from kvs_graphql.registry.errors import RegistryError, RegistryRefused, RegistryUnavailable, SchemaNotFound, again
from kvs_graphql.registry.exchange import Away, Failing, Unauthorised, error_code, exchange, is_of_the_whole
from kvs_graphql.registry.tokens import Tokens

_ATTEMPTS_MAX = 3
_FIRST_PAUSE_SECONDS = 0.1
_PAUSE_SECONDS_MAX = 1.0
_FAIR_SHARE = 0.5
"""The part of its time that a request needs at the registry, not before it, for the registry to count as slow."""
_OVERHEAD_BYTES = 65_536
"""What an answer has besides the schema."""
_ACCEPT = "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json"
_NOT_FOUND_CODES = range(40400, 40500)
"""By which a registry says that something is not there; a proxy or another service answers 404 without them."""


class RegistryHttp:
    """The HTTP client of one registry. Use `open_http` to make one."""

    def __init__(self, http: httpx.AsyncClient, connection: RegistryConnection, limits: RegistryLimits) -> None:
        self._http = http
        self._url = connection.url.rstrip("/")
        self._name = f"the schema registry at {without_secrets(connection.url)}"
        self._limits = limits
        self._answer_bytes_max = 2 * limits.schema_bytes_max + _OVERHEAD_BYTES
        self._slots = asyncio.Semaphore(limits.requests_max)
        self._headers = _headers(connection)
        self._renew_tls = connection.renew_tls
        self._away: RegistryError | None = None
        self._away_until = 0.0
        self._tokens = None if connection.credentials is None else Tokens(http, connection.credentials)

    def deadline(self) -> float:
        """The time of the event loop until which a call that begins now may take."""
        return asyncio.get_running_loop().time() + self._limits.seconds_max

    async def get(self, path: str, deadline: float, *, anyway: bool = False) -> Any:
        """What the registry has at a path, which is quoted already.

        For a few seconds after the registry as a whole gave nothing, it is not asked again, but `anyway`.

        Raises:
            RegistryError: It does not give it, or not before the deadline.
        """
        failure: RegistryError = RegistryUnavailable(f"too many requests wait for {self._name}")
        clock = asyncio.get_running_loop().time
        is_crowded = self._slots.locked()
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _PAUSE_SECONDS_MAX)
        try:
            async with asyncio.timeout_at(deadline), self._slots:
                if self._away is not None and not anyway and time.monotonic() < self._away_until:
                    raise again(self._away)
                # A request whose turn came late does not tell whether the registry is slow.
                if not is_crowded or deadline - clock() > self._limits.seconds_max * _FAIR_SHARE:
                    failure = Away(f"{self._name} did not answer within {self._limits.seconds_max:g} s")
                for attempt in range(_ATTEMPTS_MAX):
                    if attempt:
                        await asyncio.sleep(backoff.next_pause())
                    try:
                        found = await self._authorised(path)
                    except (Away, Failing) as repeatable:
                        failure = repeatable
                        self._renew_tls()
                    else:
                        self._away = None
                        return found
        except TimeoutError:
            pass
        except Unauthorised as refusal:
            failure = refusal
        if is_of_the_whole(failure):
            self._away, self._away_until = failure, time.monotonic() + self._limits.failure_seconds
        raise failure from None

    async def _authorised(self, path: str) -> Any:
        """Ask, once more with a new token where the registry does not take the old one."""
        if self._tokens is None:
            return await self._ask(path, self._headers)
        token = await self._tokens.current()
        try:
            return await self._ask(path, {**self._headers, "Authorization": f"Bearer {token}"})
        except Unauthorised:
            token = await self._tokens.other_than(token)
        return await self._ask(path, {**self._headers, "Authorization": f"Bearer {token}"})

    async def _ask(self, path: str, headers: dict[str, str]) -> Any:
        url, bytes_max = f"{self._url}{path}", self._answer_bytes_max
        status, body = await exchange(self._http, "GET", url, self._name, bytes_max, headers=headers)
        found = parsed(body)
        if status == 200 and found is not None:
            return found
        said = f"HTTP {status}{error_code(found)}"
        match status:
            case 200:
                raise RegistryUnavailable(f"{self._name} did not answer in JSON")
            case 401:
                raise Unauthorised(f"{self._name} refuses access: {said}")
            case 403:
                raise RegistryRefused(f"{self._name} refuses access: {said}")
            case 404 if isinstance(found, dict) and found.get("error_code") in _NOT_FOUND_CODES:
                raise SchemaNotFound(f"{self._name} does not have it")
            case 404:
                raise RegistryUnavailable(f"{self._name} answered {said}: no registry seems to be at this URL")
            case _:
                raise RegistryUnavailable(f"{self._name} answered {said}")


@asynccontextmanager
async def open_http(connection: RegistryConnection, limits: RegistryLimits) -> AsyncIterator[RegistryHttp]:
    """Yield a client of the registry, whose connections close with the context."""
    async with httpx.AsyncClient(
        verify=True if connection.tls is None else connection.tls,
        timeout=None,  # noqa: S113 - those of httpx start over with every byte; each call has a deadline
        limits=httpx.Limits(max_connections=limits.requests_max),
    ) as http:
        yield RegistryHttp(http, connection, limits)


def _headers(connection: RegistryConnection) -> dict[str, str]:
    headers = {"Accept": _ACCEPT, "Accept-Encoding": "identity"}
    if connection.username is not None:
        pair = f"{connection.username}:{connection.password or ''}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    if connection.token is not None:
        headers["Authorization"] = f"Bearer {connection.token}"
    if connection.cluster is not None:
        headers["target-sr-cluster"] = connection.cluster
    if connection.identity_pool is not None:
        headers["Confluent-Identity-Pool-Id"] = connection.identity_pool
    return headers
