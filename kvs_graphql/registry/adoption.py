"""The decision which version of a subject is served: pure, so that a start, a poll and `check` decide alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kvs_graphql.formats import SchemaText

CannotRead = Callable[[SchemaText, SchemaText], str | None]
"""Why a schema, the first, cannot read values that were written with another, in one line; None if it can.

It is also asked whether a schema can read its own values: one that cannot be used at all cannot.
"""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a subject."""

    number: int
    id: int
    schema: SchemaText


@dataclass(frozen=True, slots=True)
class Unloadable:
    """A version that the registry has, but whose schema it does not give."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class NotAdopted:
    """A version that is not served, though it is newer than the one that is."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Adoption:
    """Which version is served, if any can be; and why the newer ones are not, newest first."""

    served: Version | None
    refused: tuple[NotAdopted, ...] = ()


def adopt(versions: Sequence[Version | Unloadable], cannot_read: CannotRead, pinned: int | None = None) -> Adoption:
    """Adopt the newest version that can read all earlier ones, or the pinned one; `versions` are oldest first.

    A pinned version is served whatever it can read of the others: its operator wants it.
    """
    refused = list[NotAdopted]()
    for index in reversed(range(len(versions))):
        candidate = versions[index]
        if pinned is None:
            reason = _why_not(candidate, versions[:index], cannot_read)
        elif candidate.number == pinned:
            reason = _why_not(candidate, (), cannot_read)
        else:
            reason = f"version {pinned} is pinned"
        if reason is None:
            assert isinstance(candidate, Version)
            return Adoption(candidate, tuple(refused))
        refused.append(NotAdopted(candidate.number, reason))
    return Adoption(None, tuple(refused))


def _why_not(
    candidate: Version | Unloadable, earlier: Sequence[Version | Unloadable], cannot_read: CannotRead
) -> str | None:
    """Why a version cannot be served; the first reason that is found."""
    if isinstance(candidate, Unloadable):
        return candidate.reason
    unusable = cannot_read(candidate.schema, candidate.schema)
    if unusable is not None:
        return unusable
    for other in reversed(earlier):
        unread = other.reason if isinstance(other, Unloadable) else cannot_read(candidate.schema, other.schema)
        if unread is not None:
            return f"it cannot read version {other.number}: {unread}"
    return None
