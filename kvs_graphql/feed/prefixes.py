"""Watchers by prefix: a radix tree, in which a key meets its own prefixes and the nodes between them, and nothing else.

The libraries for it do not fit: pygtrie takes a step per byte, marisa-trie cannot change, and datrie knows no bytes.
"""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

W = TypeVar("W")


class _Node(Generic[W]):
    """A prefix that is watched, or in which longer ones part."""

    __slots__ = ("below", "label", "watchers")

    def __init__(self, label: bytes, below: "dict[bytes, _Node[W]]") -> None:
        self.label = label
        """What it adds to the node above."""
        self.below = below
        """The nodes that add to it, by the first byte of their labels."""
        self.watchers: set[W] = set()


class PrefixTree(Generic[W]):
    """Finds the watchers of a key's prefixes, none of which is empty.

    Adding, removing and finding take steps by the length of a prefix or key, not by the number of prefixes.
    """

    def __init__(self) -> None:
        self.below: dict[bytes, _Node[W]] = {}
        """The first nodes, by the first byte of their labels; empty where nothing is watched."""

    def __iter__(self) -> Iterator[set[W]]:
        """The watchers of each prefix."""
        nodes = list(self.below.values())
        while nodes:
            node = nodes.pop()
            yield node.watchers
            nodes.extend(node.below.values())

    def add(self, prefix: bytes, watcher: W) -> None:
        at, start = self.below, 0
        while True:
            first = prefix[start : start + 1]
            node = at.get(first)
            if node is None:
                node = at[first] = _Node(prefix[start:], {})
            elif not prefix.startswith(node.label, start):
                node = at[first] = _split(node, prefix[start:])
            start += len(node.label)
            if start == len(prefix):
                node.watchers.add(watcher)
                return
            at = node.below

    def remove(self, prefix: bytes, watcher: W) -> None:
        above: _Node[W] | None = None
        at, start = self.below, 0
        while True:
            first = prefix[start : start + 1]
            node = at[first]
            start += len(node.label)
            if start == len(prefix):
                break
            above, above_at, above_first = node, at, first
            at = node.below
        node.watchers.discard(watcher)
        if node.watchers:
            return
        if node.below:
            _shorten(at, first)
            return
        del at[first]
        if above is not None and not above.watchers:
            _shorten(above_at, above_first)

    def of(self, key: bytes) -> list[set[W]]:
        """The watchers of each prefix of a key, as sets that must not be changed."""
        found, start = [], 0
        node = self.below.get(key[:1])
        while node is not None and key.startswith(node.label, start):
            start += len(node.label)
            if node.watchers:
                found.append(node.watchers)
            node = node.below.get(key[start : start + 1])
        return found

    def of_any(self, keys: Sequence[bytes]) -> Iterator[set[W]]:
        """The watchers of each prefix of any of the keys; some may come more than once.

        Most of many keys have nothing to do with any prefix, or all have the same one: these cost no step of their own.
        """
        length = min(len(node.label) for node in self.below.values())
        tops = {node.label[:length]: node for node in self.below.values()}
        longer = set()
        for top in tops.keys() & {key[:length] for key in keys}:
            node = tops[top]
            if node.below or len(node.label) > length:
                longer.add(top)
            else:
                yield node.watchers
        if longer:
            for key in keys:
                if key[:length] in longer:
                    yield from self.of(key)


def _shorten(at: dict[bytes, _Node[W]], first: bytes) -> None:
    """Take out a node that nobody watches, unless longer prefixes part in it."""
    node = at[first]
    if len(node.below) == 1:
        (only,) = node.below.values()
        only.label = node.label + only.label
        at[first] = only


def _split(node: _Node[W], other: bytes) -> _Node[W]:
    """The node for what the labels have in common, above this one."""
    common = _common_length(node.label, other)
    above: _Node[W] = _Node(node.label[:common], {node.label[common : common + 1]: node})
    node.label = node.label[common:]
    return above


def _common_length(one: bytes, other: bytes) -> int:
    """How many first bytes are the same. They are compared by halves, for a key may have many."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
