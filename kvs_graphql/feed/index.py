"""Which watchers a change concerns."""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from kvs_graphql.feed.prefixes import PrefixTree
from kvs_graphql.records import Interest, Record


class Interested(Protocol):
    """An object with an interest in some keys."""

    @property
    def interest(self) -> Interest: ...


W = TypeVar("W", bound=Interested)


class InterestIndex(Generic[W]):
    """Watchers by the keys and prefixes they are interested in: a change costs a look-up, and a step per match."""

    def __init__(self) -> None:
        self._everything: set[W] = set()
        self._by_key: dict[bytes, set[W]] = {}
        self._by_prefix = PrefixTree[W]()

    def add(self, watcher: W) -> None:
        interest = watcher.interest
        for key in interest.keys or ():
            self._by_key.setdefault(key, set()).add(watcher)
        if interest.prefix:
            for prefix in interest.prefixes:
                self._by_prefix.add(prefix, watcher)
        elif interest.prefix is not None or interest.everything:
            self._everything.add(watcher)

    def remove(self, watcher: W) -> None:
        interest = watcher.interest
        for key in interest.keys or ():
            watchers = self._by_key[key]
            watchers.discard(watcher)
            if not watchers:
                del self._by_key[key]
        if interest.prefix:
            for prefix in interest.prefixes:
                self._by_prefix.remove(prefix, watcher)
        self._everything.discard(watcher)

    def all(self) -> set[W]:
        return self._everything.union(*self._by_key.values(), *self._by_prefix)

    def interested_in(self, key: bytes) -> list[W]:
        """The watchers that a change of that key concerns, as a list of its own."""
        found = self._by_key.get(key)
        prefixes = self._by_prefix.of(key) if self._by_prefix.below else ()
        if not self._everything and not prefixes:
            return [] if found is None else list(found)
        return list(self._everything.union(found or (), *prefixes))

    def concerned(self, changes: Sequence[Record]) -> set[W]:
        """The watchers that any of the changes matches."""
        concerned: set[W] = set()
        if changes:
            concerned |= self._everything
        if self._by_key:
            for record in changes:
                if watchers := self._by_key.get(record.key):
                    concerned |= watchers
        if self._by_prefix.below:
            concerned.update(*self._by_prefix.of_any([record.key for record in changes]))
        return concerned
