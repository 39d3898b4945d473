"""The framing of a Confluent-compatible schema registry: a zero byte and the schema's id, before the payload."""

from struct import Struct

_FRAME = Struct(">bI")
FRAME_BYTES = _FRAME.size


def schema_id_of(raw: bytes) -> int | None:
    """The id of the schema that these bytes name; None where they are not framed."""
    if len(raw) < FRAME_BYTES:
        return None
    magic, schema_id = _FRAME.unpack_from(raw)
    return None if magic else schema_id


def frame(schema_id: int, payload: bytes) -> bytes:
    """A payload in its frame."""
    return _FRAME.pack(0, schema_id) + payload
