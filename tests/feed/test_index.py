"""The index finds exactly the watchers that a change concerns."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.feed import index as index_module
from kvs_graphql.feed.index import InterestIndex
from kvs_graphql.records import Interest, Record

INDEX_DIRECTORY = str(Path(index_module.__file__).parent)
KEYS = st.binary(max_size=6).map(lambda raw: bytes(byte % 3 for byte in raw))
INTERESTS = st.builds(Interest, st.none() | st.frozensets(KEYS, max_size=3), st.none() | KEYS)


@dataclass(frozen=True, eq=False)
class Subscriber:
    interest: Interest


@given(st.lists(INTERESTS, max_size=8), st.lists(KEYS, min_size=1, max_size=4), st.data())
def test_index_finds_the_watchers_whose_interest_matches(
    interests: list[Interest], keys: list[bytes], data: st.DataObject
) -> None:
    index = InterestIndex[Subscriber]()
    subscribers = [Subscriber(interest) for interest in interests]
    for subscriber in subscribers:
        index.add(subscriber)
    gone = data.draw(st.sets(st.sampled_from(subscribers))) if subscribers else set()
    for subscriber in gone:
        index.remove(subscriber)
    open_ones = set(subscribers) - gone
    changes = [Record(key, b"v", 0, number, None, None) for number, key in enumerate(keys)]
    for key in keys:
        found = index.interested_in(key)
        assert len(found) == len(set(found))
        assert set(found) == {s for s in open_ones if s.interest.matches(key)}
    assert index.concerned(changes) == {s for s in open_ones if any(s.interest.matches(key) for key in keys)}
    # An interest in no key at all is in no list.
    assert index.all() == {s for s in open_ones if s.interest.keys != frozenset() or s.interest.prefix is not None}


def test_positions_without_changes_concern_nobody() -> None:
    index = InterestIndex[Subscriber]()
    index.add(Subscriber(Interest()))
    assert index.concerned([]) == set()


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of the index the work takes; not of what else may happen meanwhile, such as a finaliser."""
    lines = 0

    def count(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.startswith(INDEX_DIRECTORY):
            return None
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


def test_change_costs_the_same_however_many_prefixes_and_lengths_are_watched() -> None:
    def steps(lengths: int) -> tuple[int, int]:
        index = InterestIndex[Subscriber]()
        for subscriber in (Subscriber(Interest(prefix=b"x" * length)) for length in range(1, lengths)):
            index.add(subscriber)
        index.add(own := Subscriber(Interest(prefix=b"can")))
        change = Record(b"canary", b"v", 0, 0, None, None)
        assert index.interested_in(change.key) == [own]
        return lines_run(lambda: index.interested_in(change.key)), lines_run(lambda: index.concerned([change]))

    assert steps(100) == steps(200) == steps(400)
