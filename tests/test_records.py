"""Records, the algebra of positions, and the encoding of headers."""

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvs_graphql.records import (
    Interest,
    Positions,
    Record,
    advance,
    covers,
    decode_headers,
    encode_headers,
    merge,
    position_in,
)

Headers = tuple[tuple[str, bytes | None], ...]

positions = st.lists(st.integers(0, 9), max_size=4).map(tuple)
headers = st.lists(st.tuples(st.text(), st.none() | st.binary()), max_size=4).map(tuple)
keys = st.binary(max_size=3)


@given(headers)
@example((("same", b""), ("same", None), ("", b"\x00\xff"), ("ü\x00", b"\xe2\x82")))
def test_headers_survive_encoding(given_headers: Headers) -> None:
    assert tuple(decode_headers(encode_headers(given_headers))) == given_headers


def test_no_headers_are_encoded_as_none() -> None:
    assert encode_headers(()) is None


@pytest.mark.parametrize(("value", "headers", "size"), [(None, None, 3), (b"", b"", 3), (b"ab", b"cdef", 9)])
def test_size_of_a_record_counts_key_value_and_headers(value: bytes | None, headers: bytes | None, size: int) -> None:
    record = Record(b"key", value, 0, 0, None, headers)
    assert record.size_bytes == size
    assert record.is_tombstone == (value is None)


@given(positions, positions, positions)
def test_merge_is_the_least_upper_bound_of_positions(one: Positions, other: Positions, bound: Positions) -> None:
    merged = merge(one, other)
    assert covers(merged, one)
    assert covers(merged, other)
    assert covers(bound, merged) == (covers(bound, one) and covers(bound, other))


@given(positions, positions, positions)
def test_merge_depends_neither_on_order_nor_on_repetition(one: Positions, other: Positions, third: Positions) -> None:
    assert merge(one, other) == merge(other, one)
    assert merge(merge(one, other), third) == merge(one, merge(other, third))
    assert merge(one, one) == one == merge(one, ())


@given(positions, positions, positions)
def test_covers_orders_positions(one: Positions, other: Positions, third: Positions) -> None:
    assert covers(one, one)
    assert covers(one, ())
    assert not (covers(one, other) and covers(other, third)) or covers(one, third)
    equal = all(position_in(one, p) == position_in(other, p) for p in range(4))
    assert (covers(one, other) and covers(other, one)) == equal


@given(positions, st.integers(0, 5), st.integers(0, 9))
def test_advance_moves_one_partition_and_never_back(one: Positions, partition: int, offset: int) -> None:
    moved = advance(one, partition, offset)
    assert position_in(moved, partition) == max(position_in(one, partition), offset)
    assert all(position_in(moved, p) == position_in(one, p) for p in range(8) if p != partition)


def test_partition_left_out_counts_as_zero() -> None:
    assert covers((), (0, 0))
    assert not covers((3,), (3, 1))


@given(st.none() | st.frozensets(keys, max_size=3), st.none() | keys, keys)
@example(frozenset(), None, b"x")
@example(frozenset({b"x"}), b"p/", b"p/1")
def test_interest_matches_its_keys_and_its_prefix(
    wanted: frozenset[bytes] | None, prefix: bytes | None, key: bytes
) -> None:
    everything = wanted is None and prefix is None
    among_keys = wanted is not None and key in wanted
    under_prefix = prefix is not None and key[: len(prefix)] == prefix
    interest = Interest(wanted, prefix)
    assert interest.everything == everything
    assert interest.matches(key) == (everything or among_keys or under_prefix)


def test_encoded_headers_take_little_more_memory_than_they_have_bytes() -> None:
    """Each record that the feed keeps has its own."""
    number = 1_000
    tracemalloc.start()
    try:
        kept = [encode_headers((("name", b"%d" % n),)) for n in range(number)]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 200 * len(kept)
