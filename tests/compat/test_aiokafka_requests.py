"""Canaries: each fails with one sentence when aiokafka breaks `kvs_graphql.compat.aiokafka_requests`."""

from kvs_graphql.compat.aiokafka_requests import (
    epoch_ends,
    epoch_ends_request,
    may_write,
    topic_metadata,
    topic_metadata_request,
)
from tests.compat.canary import canary


def test_topic_metadata_v12_is_encoded_and_decoded_by_the_protocol() -> None:
    partition = b"\x00\x00" + b"\x00\x00\x00\x02" + b"\x00\x00\x00\x01" + b"\x00\x00\x00\x07"
    partition += b"\x02\x00\x00\x00\x01" * 2 + b"\x01" + b"\x00"
    topic_id = bytes(range(16))
    topic = b"\x00\x00" + b"\x02t" + topic_id + b"\x00" + b"\x02" + partition + b"\x80\x00\x00\x00" + b"\x00"
    response = bytes(4) + b"\x01" + b"\x00" + bytes(4) + b"\x02" + topic + b"\x00"
    with canary("The classes of aiokafka.protocol no longer encode and decode Metadata version 12."):
        request = topic_metadata_request("t").prepare({3: (0, 13)})
        assert request.API_VERSION == 12
        assert request.encode() == b"\x02" + bytes(16) + b"\x02t\x00" + b"\x00\x00\x00"
        decoded = request.RESPONSE_TYPE.decode(response)
        assert may_write(decoded) is None
        metadata = topic_metadata(decoded)
        assert metadata["topic_id"] == topic_id
        assert [(p["partition"], p["leader"]) for p in metadata["partitions"]] == [(2, 1)]


def test_rights_on_a_topic_are_asked_for_and_read_by_the_protocol() -> None:
    def response(operations: bytes) -> bytes:
        topic = b"\x00\x00" + b"\x02t" + bytes(16) + b"\x00" + b"\x01" + operations + b"\x00"
        return bytes(4) + b"\x01" + b"\x00" + bytes(4) + b"\x02" + topic + b"\x00"

    with canary("The classes of aiokafka.protocol no longer encode and decode the rights in Metadata version 12."):
        request = topic_metadata_request("t", operations=True).prepare({3: (0, 13)})
        assert request.encode() == b"\x02" + bytes(16) + b"\x02t\x00" + b"\x00\x01\x00"
        read, write = (b"\x00\x00\x01" + bytes([bits]) for bits in (1 << 3, 1 << 3 | 1 << 4))
        assert may_write(request.RESPONSE_TYPE.decode(response(read))) is False
        assert may_write(request.RESPONSE_TYPE.decode(response(write))) is True


def test_epoch_ends_are_asked_for_and_read_by_the_protocol() -> None:
    answer = b"\x00\x00" + b"\x00\x00\x00\x03" + b"\x00\x00\x00\x05" + bytes(7) + b"\x64"
    response = bytes(4) + b"\x00\x00\x00\x01" + b"\x00\x01t" + b"\x00\x00\x00\x01" + answer
    with canary("The classes of aiokafka.protocol no longer encode and decode OffsetForLeaderEpoch version 2."):
        request = epoch_ends_request("t", {3: 7}).prepare({23: (2, 4)})
        asked = b"\x00\x00\x00\x03" + b"\xff\xff\xff\xff" + b"\x00\x00\x00\x07"
        assert request.encode() == b"\x00\x00\x00\x01" + b"\x00\x01t" + b"\x00\x00\x00\x01" + asked
        assert list(epoch_ends(request.RESPONSE_TYPE.decode(response))) == [(0, 3, 5, 100)]
