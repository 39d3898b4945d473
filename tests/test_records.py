"""Records, and the arithmetic of positions."""

from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.records import Interest, advance, covers, decode_headers, encode_headers, merge, position_in

positions = st.lists(st.integers(0, 9), max_size=4).map(tuple)
headers = st.lists(st.tuples(st.text(), st.none() | st.binary()), max_size=4).map(tuple)


@given(headers)
def test_headers_come_back_as_they_were(given_headers: tuple[tuple[str, bytes | None], ...]) -> None:
    assert tuple(decode_headers(encode_headers(given_headers))) == given_headers


@given(positions, positions)
def test_merged_positions_cover_both_and_nothing_more(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    merged = merge(one, other)
    assert covers(merged, one)
    assert covers(merged, other)
    assert all(offset in (position_in(one, p), position_in(other, p)) for p, offset in enumerate(merged))


@given(positions, st.integers(0, 5), st.integers(0, 9))
def test_advancing_moves_one_partition_and_never_back(one: tuple[int, ...], partition: int, offset: int) -> None:
    moved = advance(one, partition, offset)
    assert covers(moved, one)
    assert position_in(moved, partition) == max(position_in(one, partition), offset)
    assert all(position_in(moved, p) == position_in(one, p) for p in range(8) if p != partition)


def test_a_partition_left_out_counts_as_zero() -> None:
    assert covers((), (0, 0))
    assert not covers((3,), (3, 1))


def test_interest_matches_keys_or_prefix() -> None:
    assert Interest().matches(b"anything")
    either = Interest(frozenset({b"x"}), b"p/")
    assert [either.matches(key) for key in (b"x", b"p/1", b"p", b"xx")] == [True, True, False, False]
    assert not Interest(frozenset()).matches(b"x")
