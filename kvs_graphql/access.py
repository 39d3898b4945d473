"""Who asks, and what they may do. Pure.

What shares work between clients (one rendering for many subscribers, one read for many requests) is keyed by the
fingerprint, and never mixes two.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

ANY_TABLE = "*"


class Verb(StrEnum):
    """What a principal may do with a table."""

    READ = "read"
    WRITE = "write"
    STATUS = "status"

    # Enumerations hash their names in Python, which is slow.
    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to do something with the keys of a table that have a prefix."""

    verb: Verb
    table: str = ANY_TABLE
    """Its name; empty for the only table of a service without a catalog."""
    prefix: bytes = b""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Grants:
    """All that a principal may do. Equal ones mean the same."""

    all: frozenset[Grant]
    _found: dict[tuple[Verb, str], tuple[bytes, ...]] = field(init=False, repr=False, compare=False)
    """What `prefixes` has found: it is asked several times for each request, and always about the same tables."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_found", {})

    def prefixes(self, verb: Verb, table: str) -> tuple[bytes, ...]:
        """The prefixes of the keys with which that may be done, in order, none within another one; none for no key."""
        found = self._found.get((verb, table))
        if found is None:
            granted = {grant.prefix for grant in self.all if grant.verb is verb and grant.table in {ANY_TABLE, table}}
            found = self._found[verb, table] = outermost(granted)
        return found

    def allow(self, verb: Verb, table: str) -> bool:
        """Whether that may be done with any keys of the table."""
        return bool(self.prefixes(verb, table))


Fingerprint = Hashable
"""Equal for two principals exactly where they see the same."""

_EVERYTHING: Fingerprint = "everything"


@dataclass(frozen=True, slots=True)
class Access:
    """A principal."""

    principal: str
    grants: Grants | None = None
    """None for the right to everything."""
    expires_at: float | None = None
    """When it has to show a new token, in seconds since 1970; None for never."""
    # Read several times for each request: an attribute, not a property.
    fingerprint: Fingerprint = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", _EVERYTHING if self.grants is None else self.grants)

    @property
    def identity(self) -> Hashable:
        """Equal for one principal with the rights that it has; a name in a JWT is not that of a static token."""
        return self.principal, self.fingerprint, self.expires_at is None

    def allows(self, verb: Verb, table: str) -> bool:
        """Whether the principal may do that with any keys of the table."""
        return self.grants is None or self.grants.allow(verb, table)

    def allows_all(self, verb: Verb, tables: Iterable[str]) -> bool:
        """Whether the principal may do that with keys of each of these tables."""
        return self.grants is None or all(self.grants.allow(verb, table) for table in tables)


@dataclass(frozen=True, slots=True)
class Visible:
    """What the schema of a principal has: it varies by table and verb, never by prefix."""

    read: frozenset[str]
    """The names of the tables with fields that read."""
    write: frozenset[str]
    """Those with mutations, where they take writes."""
    status: bool

    @classmethod
    def to(cls, grants: Grants, tables: Iterable[str]) -> "Visible":
        """What grants let see of these tables."""
        names = list(tables)
        read, write, status = (frozenset(t for t in names if grants.allow(verb, t)) for verb in Verb)
        return cls(read, write, bool(status))


ANYONE = Access("anyone")
"""A client that nobody has asked who it is."""


def outermost(prefixes: Iterable[bytes]) -> tuple[bytes, ...]:
    """The prefixes without those that are within another one, in order."""
    found: list[bytes] = []
    for prefix in sorted(prefixes):
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return tuple(found)


def within(prefixes: Sequence[bytes], asked: bytes) -> tuple[bytes, ...]:
    """The prefixes of the keys that have `asked` as a prefix, and one of `prefixes` too."""
    if asked.startswith(tuple(prefixes)):
        return (asked,)
    return tuple(prefix for prefix in prefixes if prefix.startswith(asked))
