"""Cursors: what they carry comes back, and nothing else is taken for one."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvs_graphql.cursor import NO_TOPIC_ID, Cursor, Run, decode_cursor
from kvs_graphql.errors import BadCursor
from kvs_graphql.records import Record

offsets = st.lists(st.integers(0, 2**63 - 1), max_size=5).map(tuple)
cursors = st.builds(Cursor, st.binary(min_size=16, max_size=16), offsets, offsets)


@given(cursors)
@example(Cursor(NO_TOPIC_ID, ()))
@example(Cursor(NO_TOPIC_ID, (2**63 - 1, 127, 128, 0), (1,)))
def test_a_cursor_survives_its_token(cursor: Cursor) -> None:
    token = cursor.encode()
    assert decode_cursor(token) == cursor
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.binary(min_size=16, max_size=16), offsets, offsets, st.integers(0, 2**63 - 2))
@example(NO_TOPIC_ID, (), (), 127)
def test_a_place_in_a_run_is_the_same_as_a_cursor_of_its_own(
    topic_id: bytes, lower: tuple[int, ...], higher: tuple[int, ...], offset: int
) -> None:
    record = Record(b"key", b"value", len(lower), offset, None, None)
    cursor = Cursor(topic_id, (*lower, offset + 1, *higher))
    run = Run(topic_id, lower, higher)
    assert run.cursor_at(record) == cursor
    assert run.token_at(record) == cursor.encode()


@given(cursors, st.data())
def test_a_token_with_one_character_changed_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    token = cursor.encode()
    index = data.draw(st.integers(0, len(token) - 1))
    changed = token[:index] + data.draw(st.sampled_from("Aa0-_")) + token[index + 1 :]
    if changed != token:
        try:
            # The last character may have bits that no byte needs.
            assert decode_cursor(changed) == cursor
            assert index == len(token) - 1
        except BadCursor:
            pass


@pytest.mark.parametrize("token", ["", "x", "AAAA", "not a token", "ä", "=" * 40, "A" * 10_000, "QUJD\n"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(token)


@given(st.text())
def test_no_text_breaks_the_decoder(text: str) -> None:
    try:
        decode_cursor(text)
    except BadCursor:
        pass


def test_a_token_of_a_newer_version_is_refused_as_such() -> None:
    from zlib import crc32

    body = b"\x02" + bytes(20)
    token = urlsafe_b64encode(body + crc32(body).to_bytes(4, "big")).rstrip(b"=").decode()
    with pytest.raises(BadCursor, match="newer version"):
        decode_cursor(token)
