"""The framing of a schema registry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.formats.framing import FRAME_BYTES, frame, schema_id_of


@given(st.integers(0, 2**32 - 1), st.binary(max_size=10))
def test_payload_follows_a_zero_byte_and_the_id(schema_id: int, payload: bytes) -> None:
    raw = frame(schema_id, payload)
    assert raw == b"\x00" + schema_id.to_bytes(4, "big") + payload
    assert schema_id_of(raw) == schema_id
    assert raw[FRAME_BYTES:] == payload


@pytest.mark.parametrize(
    "raw", [b"", b"\x00", b"\x00\x00\x00\x01", b"\x01\x00\x00\x00\x01", b"\xff\x00\x00\x00\x01a", b'{"a":1}']
)
def test_other_bytes_name_no_schema(raw: bytes) -> None:
    assert schema_id_of(raw) is None
