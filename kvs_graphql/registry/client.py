"""The client of a schema registry that speaks Confluent's API. It reads only: this service registers nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from cachetools import LRUCache, TTLCache

from kvs_graphql.formats import SchemaText
from kvs_graphql.registry.answers import NUMBER_MAX, Answer, Reference, id_of, numbers_of, schema_of
from kvs_graphql.registry.connection import RegistryConnection, RegistryLimits
from kvs_graphql.registry.errors import RegistryError, RegistryUnavailable, SchemaNotFound, again
from kvs_graphql.registry.http import RegistryHttp, open_http
from kvs_graphql.registry.references import with_references
from kvs_graphql.registry.texts import size_of


class SchemaRegistry:
    """A registry. Use `open_registry` to make one.

    An id means one schema for ever, so what was found stays, as long as there is room. Callers that want the same id
    share one request. A failure is remembered for a few seconds: that of an id for this id, and that of the registry
    as a whole (away, slow, overloaded, no access) for all ids.
    """

    def __init__(self, http: RegistryHttp, limits: RegistryLimits) -> None:
        self._http = http
        self.limits = limits
        self._found: LRUCache[int, SchemaText] = LRUCache(limits.cache_bytes_max, getsizeof=size_of)
        self._failed: TTLCache[int, RegistryError] = TTLCache(limits.failures_max, limits.failure_seconds)
        self._pending: dict[int, asyncio.Task[SchemaText]] = {}

    async def by_id(self, schema_id: int) -> SchemaText:
        """Return the schema with that id, with all that it refers to.

        Raises:
            RegistryError: It is not there, or the registry does not give it.
        """
        found = self._found.get(schema_id)
        if found is not None:
            return found
        if schema_id > NUMBER_MAX:
            raise SchemaNotFound(_no_schema(schema_id))
        failure = self._failed.get(schema_id)
        if failure is not None:
            raise again(failure)
        task = self._pending.get(schema_id)
        if task is None:
            task = self._pending[schema_id] = asyncio.create_task(self._load(schema_id))
            task.add_done_callback(lambda done: self._keep(schema_id, done))
        try:
            # A caller that is cancelled does not end the request of the others.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if task.cancelled() and current is not None and not current.cancelling():
                raise RegistryUnavailable("the schema registry is not asked any more") from None
            raise
        except RegistryError as error:
            # Each caller gets an error of its own: the trace of a shared one would grow with each of them.
            raise again(error) from None

    async def versions(self, subject: str) -> list[int]:
        """Return the numbers of the versions of a subject, in order, without deleted ones.

        Raises:
            RegistryError: The subject is not there, or the registry does not give them.
        """
        try:
            found = await self._http.get(f"/subjects/{_quoted(subject)}/versions", self._http.deadline(), anyway=True)
        except SchemaNotFound:
            raise SchemaNotFound(f"the schema registry has no subject {subject!r}") from None
        return numbers_of(found)

    async def version(self, subject: str, number: int) -> tuple[int, SchemaText]:
        """Return the id and the schema of a version of a subject, also of one that was deleted, but not for good.

        Raises:
            RegistryError: It is not there, or the registry does not give it.
        """
        deadline = self._http.deadline()
        answer = await self._version(subject, number, deadline)
        return id_of(answer), await self._resolved(schema_of(answer), deadline)

    async def close(self) -> None:
        """End the requests that are open."""
        tasks = list(self._pending.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _load(self, schema_id: int) -> SchemaText:
        deadline = self._http.deadline()
        try:
            answer = await self._http.get(f"/schemas/ids/{schema_id}", deadline)
        except SchemaNotFound:
            raise SchemaNotFound(_no_schema(schema_id)) from None
        return await self._resolved(schema_of(answer), deadline)

    async def _version(self, subject: str, number: int, deadline: float) -> Any:
        try:
            # Others may refer to a version that was deleted.
            path = f"/subjects/{_quoted(subject)}/versions/{number}?deleted=true"
            return await self._http.get(path, deadline, anyway=True)
        except SchemaNotFound:
            raise SchemaNotFound(f"the schema registry has no version {number} of subject {subject!r}") from None

    async def _resolved(self, answer: Answer, deadline: float) -> SchemaText:
        async def fetch(reference: Reference) -> Answer:
            return schema_of(await self._version(reference.subject, reference.version, deadline))

        return await with_references(answer, fetch, self.limits)

    def _keep(self, schema_id: int, done: asyncio.Task[SchemaText]) -> None:
        """Keep what a request had as its result, for those who ask later."""
        del self._pending[schema_id]
        if done.cancelled():
            return
        error = done.exception()
        if isinstance(error, RegistryError):
            self._failed[schema_id] = again(error)
        elif error is None and size_of(done.result()) <= self.limits.cache_bytes_max:
            self._found[schema_id] = done.result()


@asynccontextmanager
async def open_registry(
    connection: RegistryConnection, limits: RegistryLimits | None = None
) -> AsyncIterator[SchemaRegistry]:
    """Yield the client of a registry. It connects when it is asked."""
    limits = limits or RegistryLimits()
    async with open_http(connection, limits) as http:
        registry = SchemaRegistry(http, limits)
        try:
            yield registry
        finally:
            await registry.close()


def _quoted(subject: str) -> str:
    return quote(subject, safe="")


def _no_schema(schema_id: int) -> str:
    return f"the schema registry has no schema with the id {schema_id}"
