"""Which watchers a change concerns."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

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
        self._by_prefix: dict[bytes, set[W]] = {}
        self._prefix_lengths = Counter[int]()
        """How many prefixes there are of each length."""

    def add(self, watcher: W) -> None:
        for index, term in self._terms(watcher):
            if index is self._by_prefix and term not in index:
                self._prefix_lengths[len(term)] += 1
            index.setdefault(term, set()).add(watcher)
        if watcher.interest.everything:
            self._everything.add(watcher)

    def remove(self, watcher: W) -> None:
        for index, term in self._terms(watcher):
            index[term].discard(watcher)
            if not index[term]:
                del index[term]
                if index is self._by_prefix:
                    self._forget_length(len(term))
        self._everything.discard(watcher)

    def all(self) -> set[W]:
        return self._everything.union(*self._by_key.values(), *self._by_prefix.values())

    def interested_in(self, key: bytes) -> list[W]:
        """The watchers that a change of that key concerns, as a list of its own."""
        found = self._by_key.get(key)
        if not self._everything and not self._prefix_lengths:
            return [] if found is None else list(found)
        prefixes = (self._by_prefix.get(key[:length]) for length in self._prefix_lengths)
        return list(self._everything.union(*(watchers for watchers in (found, *prefixes) if watchers)))

    def concerned(self, changes: Iterable[Record]) -> set[W]:
        """The watchers that any of the changes matches."""
        concerned: set[W] = set()
        if changes:
            concerned |= self._everything
        if self._by_key:
            for record in changes:
                if watchers := self._by_key.get(record.key):
                    concerned |= watchers
        for length in self._prefix_lengths:
            for prefix in {record.key[:length] for record in changes}:
                concerned |= self._by_prefix.get(prefix, set())
        return concerned

    def _forget_length(self, length: int) -> None:
        self._prefix_lengths[length] -= 1
        if not self._prefix_lengths[length]:
            del self._prefix_lengths[length]

    def _terms(self, watcher: W) -> Iterator[tuple[dict[bytes, set[W]], bytes]]:
        for key in watcher.interest.keys or ():
            yield self._by_key, key
        if watcher.interest.prefix is not None:
            yield self._by_prefix, watcher.interest.prefix
