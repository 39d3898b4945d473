"""Requests that aiokafka lacks: a topic's metadata with its id, and where leader epochs ended.

They extend the undocumented classes of its wire protocol. `tests/compat/test_aiokafka_requests.py` checks each function
here against the installed version.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any, Self

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v4, MetadataRequest_v5
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

_NO_TOPIC_ID = bytes(16)
# The code of the operation, and so its bit.
_WRITE = 4
_NO_OPERATIONS = -(2**31)
# Brokers rarely give different answers, and they are asked behind every fetch.
_RESPONSES_CACHED = 16


def topic_metadata_request(topic: str, *, operations: bool = False) -> Request[Any]:
    """A request for one topic's metadata that never creates the topic; `operations`: and what the user may do with it.

    Its response is read by `topic_metadata`. Extends the undocumented classes of `aiokafka.protocol`: aiokafka's own
    requests stop at version 5, which has no topic ids, and its refreshes let the broker create the topic.
    """
    return _TopicMetadataRequest(topic, operations=operations)


def topic_metadata(response: Any) -> dict[str, Any]:
    """The fields of the only topic in a response: `error_code`, `partitions`, and `topic_id` (16 bytes) since v10."""
    metadata: dict[str, Any] = response.to_object()["topics"][0]
    return metadata


def may_write(response: Any) -> bool | None:
    """Whether the user may write to the only topic in a response (KIP-430); None if not asked, or before v8."""
    operations = topic_metadata(response).get("authorized_operations", _NO_OPERATIONS)
    return None if operations == _NO_OPERATIONS else bool(operations & 1 << _WRITE)


def epoch_ends_request(topic: str, epochs: Mapping[int, int]) -> Request[Any]:
    """A request for where these leader epochs ended, by partition (OffsetForLeaderEpoch, KIP-320).

    It goes to the leader of all of these partitions, and its response is read by `epoch_ends`. Extends the undocumented
    classes of `aiokafka.protocol`: aiokafka lacks this request.
    """
    return _EpochEndsRequest(topic, epochs)


def epoch_ends(response: Any) -> Iterable[tuple[int, int, int, int]]:
    """For each partition in a response: error code, partition, the last epoch not above the one asked for, its end."""
    found: Iterable[tuple[int, int, int, int]] = response.topics[0][1]
    return found


class _Uuid:
    """A field of 16 raw bytes, a type that aiokafka lacks."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: Any) -> bytes:
        read: bytes = data.read(16)
        return read


# Version 12 (KIP-516) is the first that takes a name and answers with the topic's id.
class _MetadataResponse12(Response):
    """Identical responses are decoded once."""

    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )

    @classmethod
    def decode(cls, data: BytesIO | bytes) -> Self:
        return cls._decode(data if isinstance(data, bytes) else data.read())

    @classmethod
    @lru_cache(_RESPONSES_CACHED)
    def _decode(cls, raw: bytes) -> Self:
        decoded: Self = super().decode(raw)
        return decoded


class _MetadataRequest12(RequestStruct):
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse12
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicMetadataRequest(Request[MetadataRequest_v4 | MetadataRequest_v5 | _MetadataRequest12]):
    """aiokafka picks the newest of these versions that the broker knows."""

    API_KEY = 3

    def __init__(self, topic: str, *, operations: bool) -> None:
        self._topic = topic
        self._operations = operations

    def build(self, request_struct_class: type[Any]) -> Any:
        if request_struct_class is _MetadataRequest12:
            return request_struct_class([(_NO_TOPIC_ID, self._topic, {})], False, self._operations, {})
        return request_struct_class([self._topic], False)


class _EpochEndsResponse2(Response):
    API_KEY = 23
    API_VERSION = 2
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(("error_code", Int16), ("partition", Int32), ("leader_epoch", Int32), ("end_offset", Int64)),
                ),
            ),
        ),
    )


class _EpochEndsRequest2(RequestStruct):
    API_KEY = 23
    API_VERSION = 2
    RESPONSE_TYPE = _EpochEndsResponse2
    SCHEMA = Schema(
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                ("partitions", Array(("partition", Int32), ("current_leader_epoch", Int32), ("leader_epoch", Int32))),
            ),
        ),
    )


class _EpochEndsRequest(Request[_EpochEndsRequest2]):
    """Version 2 is the oldest that Kafka 4 knows, and the first with an epoch in each answer and -1 for consumers."""

    API_KEY = 23

    def __init__(self, topic: str, epochs: Mapping[int, int]) -> None:
        self._topic = topic
        self._epochs = epochs

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class([(self._topic, [(p, -1, epoch) for p, epoch in self._epochs.items()])])
