"""Cursors: their tokens decode to what was encoded, and nothing else is accepted."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from zlib import crc32

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor, PartitionCursors, decode_cursor, join_tokens
from kvs_graphql.errors import BadCursor
from kvs_graphql.records import Epochs, Positions, Record
from tests.growth import grows_linearly

URL_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
OFFSET_MAX = 2**63 - 1
EPOCH_MAX = 2**31 - 1

topic_ids = st.binary(min_size=16, max_size=16)
offsets = st.lists(st.integers(0, OFFSET_MAX), max_size=5).map(tuple)
epochs = st.integers(-1, EPOCH_MAX)
names = st.sampled_from(["", "orders", "a", "orderItems", "x" * 64])
without_epochs = st.builds(Cursor, topic_ids, offsets, offsets, st.just(()), names)


@st.composite
def with_epochs(draw: st.DrawFn) -> Cursor:
    """A cursor with an epoch of each partition, of which one is known."""
    cursor = draw(without_epochs)
    known = draw(st.lists(epochs, min_size=len(cursor.positions), max_size=len(cursor.positions)))
    return cursor._replace(epochs=tuple(known) if max(known, default=-1) >= 0 else ())


cursors = st.one_of(without_epochs, with_epochs())


def token_of(body: bytes) -> str:
    """A token with this body and its right checksum."""
    return urlsafe_b64encode(body + crc32(body).to_bytes(4, "big")).rstrip(b"=").decode()


@given(cursors)
@example(Cursor(NO_TOPIC_ID, ()))
@example(Cursor(NO_TOPIC_ID, (OFFSET_MAX, 127, 128, 0), (1,)))
def test_cursor_survives_its_token(cursor: Cursor) -> None:
    token = cursor.encode()
    assert decode_cursor(token, cursor.table) == cursor
    assert set(token) <= URL_SAFE
    assert cursor.token_at(None) == token
    assert cursor.cursor_at(None) == cursor


@given(topic_ids, offsets, offsets, st.integers(0, OFFSET_MAX - 1), st.lists(epochs).map(tuple), names)
@example(NO_TOPIC_ID, (), (), 127, (), "")
@example(NO_TOPIC_ID, (1,), (2,), 127, (-1, 7, 0), "orders")
def test_partition_cursors_make_the_same_tokens_as_cursors(
    topic_id: bytes, lower: Positions, higher: Positions, offset: int, known: Epochs, table: str
) -> None:
    record = Record(b"key", b"value", len(lower), offset, None, None)
    cursor = Cursor(topic_id, (*lower, offset + 1, *higher), (), known, table)
    source = PartitionCursors(topic_id, lower, higher, known, table)
    assert source.cursor_at(record) == cursor
    assert source.token_at(record) == cursor.encode()


@given(cursors, st.data())
def test_token_with_a_changed_character_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    token = cursor.encode()
    index = data.draw(st.integers(0, len(token) - 1))
    changed = token[:index] + data.draw(st.sampled_from(sorted(URL_SAFE - {token[index]}))) + token[index + 1 :]
    try:
        decoded = decode_cursor(changed, cursor.table)
    except BadCursor:
        return
    # Only the last character has bits that belong to no byte.
    assert index == len(token) - 1
    assert decoded == cursor


@given(cursors, st.data())
def test_token_that_was_cut_off_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    token = cursor.encode()
    with pytest.raises(BadCursor):
        decode_cursor(token[: data.draw(st.integers(0, len(token) - 1))])


@pytest.mark.parametrize("token", ["", "x", "AAAA", "not a token", "ä", "=" * 40, "A" * 10_000, "QUJD\n"])
def test_text_that_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(token)


@given(st.text())
def test_no_text_breaks_the_decoder(text: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(text)


@given(st.sampled_from((b"\x01", b"\x02")), st.binary())
def test_no_body_with_a_right_checksum_breaks_the_decoder(version: bytes, body: bytes) -> None:
    try:
        cursor = decode_cursor(token_of(version + NO_TOPIC_ID + body))
    except BadCursor:
        return
    assert decode_cursor(cursor.encode()) == cursor


def test_cursor_with_epochs_has_a_byte_more_for_each_partition() -> None:
    plain, known = Cursor(NO_TOPIC_ID, (5,) * 30), Cursor(NO_TOPIC_ID, (5,) * 30, (), (7,) * 30)
    assert len(known.encode()) - len(plain.encode()) == 30 * 4 // 3


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        (b"\x02\x05", "fewer offsets than partitions"),
        (b"\x01\x85", "ends within a number"),
        (b"\x01" + b"\x80" * 9 + b"\x01", "exceeds Kafka's maximum"),
        (b"\xff" * 100_000, "exceeds Kafka's maximum"),
    ],
)
def test_reason_is_named_for_a_body_that_is_no_cursor(numbers: bytes, reason: str) -> None:
    with pytest.raises(BadCursor, match=reason):
        decode_cursor(token_of(b"\x01" + NO_TOPIC_ID + numbers))


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [(b"\x01\x05", "fewer offsets"), (b"\x01\x05\x81\x80\x80\x80\x08", "leader epoch that exceeds Kafka's maximum")],
)
def test_reason_is_named_for_epochs_that_are_none(numbers: bytes, reason: str) -> None:
    with pytest.raises(BadCursor, match=reason):
        decode_cursor(token_of(b"\x02" + NO_TOPIC_ID + numbers))


def test_token_of_several_tables_has_a_part_for_each() -> None:
    orders, customers = Cursor(NO_TOPIC_ID, (1, 2), table="orders"), Cursor(NO_TOPIC_ID, (3,), (), (7,), "customers")
    token = join_tokens([orders.encode(), customers.encode()])
    assert set(token) <= URL_SAFE
    assert decode_cursor(token, "orders") == orders
    assert decode_cursor(token, "customers") == customers
    for table, reason in (("order", "no part of the table `order`"), ("", "tables have names")):
        with pytest.raises(BadCursor, match=reason):
            decode_cursor(token, table)
    with pytest.raises(BadCursor, match="no part of the table `orders`"):
        decode_cursor(Cursor(NO_TOPIC_ID, (1, 2)).encode(), "orders")


def test_part_that_was_moved_to_another_table_is_refused() -> None:
    token = Cursor(NO_TOPIC_ID, (1, 2), table="orders").encode()
    with pytest.raises(BadCursor):
        decode_cursor(token.replace("orders", "customers"), "customers")


def test_token_of_a_newer_version_is_refused_as_such() -> None:
    with pytest.raises(BadCursor, match="newer version"):
        decode_cursor(token_of(b"\x03" + bytes(20)))


@pytest.mark.parametrize(
    "body",
    [
        lambda n: b"\x01" + NO_TOPIC_ID + b"\xff" * n,
        lambda n: b"\x01" + NO_TOPIC_ID + b"\xff\x7f" + b"\x01" * n,
        lambda n: b"\x02" + NO_TOPIC_ID + b"\x80" * n + b"\x00",
    ],
    ids=["one long number", "many numbers", "a long zero"],
)
def test_time_to_decode_a_cursor_grows_linearly(body: Callable[[int], bytes]) -> None:
    def decoding(number: int) -> Callable[[], None]:
        token = token_of(body(number))

        def decode() -> None:
            with suppress(BadCursor):
                decode_cursor(token)

        return decode

    assert grows_linearly(decoding, 50_000)
