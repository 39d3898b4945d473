"""A logged commit finds the changes of an interest, and the cursor just after each of them."""

from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.cursor import Cursor, decode_cursor
from kvs_graphql.feed import Kind, kind_of
from kvs_graphql.feed.updates import LoggedCommit
from kvs_graphql.records import Commit, Interest, Positions, Record, advance

TOPIC_ID = bytes(range(16))
KEYS = st.binary(max_size=2).map(lambda raw: bytes(byte % 3 for byte in raw))
INTERESTS = st.builds(Interest, st.none() | st.frozensets(KEYS, max_size=3), st.none() | KEYS)
CHANGES = st.lists(st.tuples(st.integers(0, 2), KEYS, st.none() | st.binary(max_size=2)), max_size=8)


def commit_of(changes: list[tuple[int, bytes, bytes | None]]) -> Commit:
    """Return a commit of (partition, key, value) over three partitions, with a gap of one before each offset."""
    before: Positions = (3, 0, 5)
    after = before
    records = []
    for partition, key, value in sorted(changes, key=lambda change: change[0]):
        offset = after[partition] + 1
        records.append(Record(key, value, partition, offset, None, None))
        after = advance(after, partition, offset + 1)
    return Commit(before, after, records, sum(record.size_bytes for record in records))


@given(CHANGES, INTERESTS, st.integers(0, 9))
def test_commit_finds_the_changes_that_match_in_order(
    changes: list[tuple[int, bytes, bytes | None]], interest: Interest, start: int
) -> None:
    commit = commit_of(changes)
    expected = [index for index, record in enumerate(commit.changes) if interest.matches(record.key)]
    found = LoggedCommit(TOPIC_ID, commit).matching(interest, start)
    assert list(found) == [index for index in expected if index >= start]


@given(CHANGES)
def test_cursor_of_an_update_stands_just_after_its_record(changes: list[tuple[int, bytes, bytes | None]]) -> None:
    commit = commit_of(changes)
    logged = LoggedCommit(TOPIC_ID, commit)
    positions = commit.before
    for index, record in enumerate(commit.changes):
        positions = advance(positions, record.partition, record.offset + 1)
        update = logged.update(index)
        assert update.cursor == Cursor(TOPIC_ID, positions)
        assert decode_cursor(update.token()) == update.cursor
        assert (update.record, update.kind) == (record, Kind.DELETE if record.value is None else Kind.SET)
        assert kind_of(record) is update.kind


def test_callers_share_the_updates_of_a_commit_until_it_is_old() -> None:
    logged = LoggedCommit(TOPIC_ID, commit_of([(0, b"a", b"1")]))
    assert logged.update(0) is logged.update(0)
    logged.unshare()
    assert logged.update(0) is not logged.update(0)
    assert logged.update(0) == logged.new_update(0)
