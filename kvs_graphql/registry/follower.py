"""Follows the versions of a subject: adopts new ones, and keeps what is served whatever the registry does."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from kvs_graphql.formats import SchemaText
from kvs_graphql.registry.adoption import CannotRead, NotAdopted, Unloadable, Version, adopt
from kvs_graphql.registry.client import SchemaRegistry
from kvs_graphql.registry.errors import RegistryError
from kvs_graphql.registry.exchange import is_of_the_whole
from kvs_graphql.registry.texts import meaning_of, size_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Following:
    """What is known of a subject, for `status`."""

    served: Version | None = None
    refused: tuple[NotAdopted, ...] = ()
    """Newer versions that are not served, and why, newest first."""
    problem: str | None = None
    """Why the last look at the registry changed nothing, in one line; None where all is well."""
    unseen: int = 0
    """The oldest versions, which the limits leave out of the decision."""


Report = Callable[[str, Following, Following], None]
"""Takes a subject, what was known of it, and what is known now."""


def log_changes(subject: str, before: Following, now: Following) -> None:
    """Log what is new about a subject."""
    if now.served is not None and now.served != before.served:
        log.info("a schema is adopted", subject=subject, version=now.served.number, id=now.served.id)
    for one in now.refused:
        if one not in before.refused:
            log.warning("a schema is not adopted", subject=subject, version=one.number, reason=one.reason)
    if now.problem is not None and now.problem != before.problem:
        log.warning("the schema registry cannot be followed", subject=subject, reason=now.problem)
    if now.problem is None and before.problem is not None:
        log.info("the schema registry is followed again", subject=subject)


class Follower:
    """Follows one subject. It never raises because of the registry; `state` says what is wrong.

    What is served stays while the registry is away, has lost the subject, or has no version that could be served. It
    also stays where an id now means another schema than it did: records with that id were written with the old one.
    """

    def __init__(
        self,
        registry: SchemaRegistry,
        subject: str,
        cannot_read: CannotRead,
        *,
        pinned: int | None = None,
        served: Version | None = None,
        known: Mapping[int, SchemaText] | None = None,
        report: Report = log_changes,
    ) -> None:
        """`served` and `known`, the schemas by id, are what an earlier run has kept. `cannot_read` runs in a thread."""
        self.state = Following(served)
        self._registry = registry
        self._subject = subject
        self._cannot_read = cannot_read
        self._pinned = pinned
        self._report = report
        self._versions: dict[int, Version] = {}
        self._numbers: list[int] | None = None
        self._meanings = {schema_id: meaning_of(schema) for schema_id, schema in (known or {}).items()}
        self._distrusted = False
        if served is not None:
            self._meanings[served.id] = meaning_of(served.schema)

    async def look(self) -> Version | None:
        """Look at the registry once. Return the version to serve from now on; None where it is the same as before.

        That takes one request, unless the versions differ from the last time, or the registry was away meanwhile: then
        it may be another one, or one that was restored.
        """
        try:
            numbers = await self._registry.versions(self._subject)
            if numbers == self._numbers and not self._distrusted:
                self._move(replace(self.state, problem=None))
                return None
            if self._distrusted or not set(self._numbers or ()) <= set(numbers):
                self._versions.clear()
            versions = await self._load(numbers)
        except RegistryError as error:
            self._distrusted = True
            self._move(replace(self.state, problem=str(error)))
            return None
        return await self._decide(numbers, versions)

    async def _load(self, numbers: Sequence[int]) -> list[Version | Unloadable]:
        """The versions with these numbers, and the pinned one, oldest first, as far as the limits allow.

        Raises:
            RegistryError: The registry as a whole gives nothing.
        """
        limits, pinned = self._registry.limits, [] if self._pinned is None else [self._pinned]
        newest = list(dict.fromkeys([*pinned, *reversed(numbers)]))[: limits.versions_max]
        found, bytes_left = list[Version | Unloadable](), limits.cache_bytes_max
        for start in range(0, len(newest), limits.requests_max):
            for version in await asyncio.gather(*map(self._version, newest[start : start + limits.requests_max])):
                bytes_left -= size_of(version.schema) if isinstance(version, Version) else 0
                if found and bytes_left < 0:
                    break
                found.append(version)
            if bytes_left < 0:
                break
        self._versions = {version.number: version for version in found if isinstance(version, Version)}
        return sorted(found, key=lambda version: version.number)

    async def _version(self, number: int) -> Version | Unloadable:
        known = self._versions.get(number)
        if known is not None:
            return known
        try:
            return Version(number, *await self._registry.version(self._subject, number))
        except RegistryError as error:
            if is_of_the_whole(error):
                raise
            return Unloadable(number, str(error))

    async def _decide(self, numbers: list[int], loaded: Sequence[Version | Unloadable]) -> Version | None:
        versions = [one for one in loaded if isinstance(one, Version)]
        changed = self._changed_meaning(versions)
        self._distrusted = changed is not None
        if changed is not None:
            self._move(replace(self.state, problem=changed))
            return None
        # What could not be loaded is tried again at the next look.
        self._numbers = numbers if len(versions) == len(loaded) else None
        self._meanings |= {version.id: meaning_of(version.schema) for version in versions}
        adoption = await asyncio.to_thread(adopt, loaded, self._cannot_read, self._pinned)
        before, served = self.state.served, adoption.served
        problem = None if served else f"no version of subject {self._subject!r} can be served"
        if before is not None and (served is None or (len(versions) < len(loaded) and served.number < before.number)):
            # An older version would be served only because the registry does not give a newer one now.
            served = before
        unseen = len(set(numbers) - {version.number for version in loaded})
        self._move(Following(served, adoption.refused, problem, unseen))
        return served if served != before else None

    def _changed_meaning(self, versions: Sequence[Version]) -> str | None:
        """Say which id means another schema than before, if one does."""
        for version in versions:
            if self._meanings.get(version.id, meaning := meaning_of(version.schema)) != meaning:
                return (
                    f"the id {version.id}, of version {version.number} of subject {self._subject!r}, was that of "
                    "another schema before: the registry may have been restored with other ids"
                )
        return None

    def _move(self, state: Following) -> None:
        before, self.state = self.state, state
        self._report(self._subject, before, state)
