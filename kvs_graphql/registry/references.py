"""A schema together with all that it refers to."""

from collections.abc import Awaitable, Callable

from kvs_graphql.formats import SchemaText
from kvs_graphql.registry.answers import Answer, Reference
from kvs_graphql.registry.connection import RegistryLimits
from kvs_graphql.registry.errors import RegistryUnavailable

Fetch = Callable[[Reference], Awaitable[Answer]]


async def with_references(answer: Answer, fetch: Fetch, limits: RegistryLimits) -> SchemaText:
    """Return a schema with all that it refers to, directly or not: before each schema those that it refers to itself.

    So do Confluent's own clients. Where two schemas have the same name, the first one counts, as there.

    Raises:
        RegistryError: A schema is not there, or there are too many, too large ones or too long chains of them.
    """
    resolution = _Resolution(fetch, limits)
    resolution.count(answer)
    await resolution.follow(answer, 1)
    return SchemaText(answer.format, answer.text, tuple(resolution.named.items()))


class _Resolution:
    def __init__(self, fetch: Fetch, limits: RegistryLimits) -> None:
        self.named: dict[str, SchemaText] = {}
        self._fetch = fetch
        self._limits = limits
        self._bytes_left = limits.schema_bytes_max
        self._fetched: dict[tuple[str, int], SchemaText] = {}

    def count(self, answer: Answer) -> None:
        self._bytes_left -= len(answer.text.encode(errors="surrogatepass"))
        if self._bytes_left < 0:
            raise RegistryUnavailable(
                f"the schema has more than {self._limits.schema_bytes_max:,} bytes with what it refers to"
            )

    async def follow(self, answer: Answer, depth: int) -> None:
        if answer.references and depth > self._limits.references_depth_max:
            raise RegistryUnavailable(
                f"the schema refers to others in a chain of more than {self._limits.references_depth_max}"
            )
        for reference in answer.references:
            place = reference.subject, reference.version
            if place not in self._fetched:
                await self._add(reference, depth)
            self.named.setdefault(reference.name, self._fetched[place])

    async def _add(self, reference: Reference, depth: int) -> None:
        if len(self._fetched) >= self._limits.references_max:
            raise RegistryUnavailable(f"the schema refers to more than {self._limits.references_max} others")
        found = await self._fetch(reference)
        self.count(found)
        # Before what it refers to, which may refer back to it.
        self._fetched[reference.subject, reference.version] = SchemaText(found.format, found.text)
        await self.follow(found, depth + 1)
