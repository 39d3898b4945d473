"""Which watchers a change concerns."""

from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from kvs_graphql.records import Interest, Record


class Interested(Protocol):
    """Whoever is interested in some keys."""

    @property
    def interest(self) -> Interest: ...


W = TypeVar("W", bound=Interested)


class Interests(Generic[W]):
    """Who is interested in which key: a change costs a look-up, and a step for each watcher that matches."""

    def __init__(self) -> None:
        self._everything: set[W] = set()
        self._by_key: dict[bytes, set[W]] = {}
        self._by_prefix: dict[bytes, set[W]] = {}
        self._prefix_lengths: list[int] = []

    def add(self, watcher: W) -> None:
        for index, term in self._terms(watcher):
            index.setdefault(term, set()).add(watcher)
        if watcher.interest.everything:
            self._everything.add(watcher)
        self._prefix_lengths = sorted(set(map(len, self._by_prefix)))

    def remove(self, watcher: W) -> None:
        for index, term in self._terms(watcher):
            index[term].discard(watcher)
            if not index[term]:
                del index[term]
        self._everything.discard(watcher)
        self._prefix_lengths = sorted(set(map(len, self._by_prefix)))

    def all(self) -> set[W]:
        return self._everything.union(*self._by_key.values(), *self._by_prefix.values())

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

    def _terms(self, watcher: W) -> Iterator[tuple[dict[bytes, set[W]], bytes]]:
        for key in watcher.interest.keys or ():
            yield self._by_key, key
        if watcher.interest.prefix is not None:
            yield self._by_prefix, watcher.interest.prefix
