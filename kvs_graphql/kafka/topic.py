"""What Kafka says of a topic: its identity, its partitions, and how long it remembers deletes."""

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any, Self

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v4, MetadataRequest_v5
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from kvs_graphql.cursor import NO_TOPIC_ID
from kvs_graphql.kafka.connection import KafkaConnection, started

DELETE_RETENTION_MS = 86_400_000
"""Kafka's default, for brokers that do not tell."""
_NO_LEADER = -1
# A few brokers' worth.
_ANSWERS_KEPT = 16


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """Which topic of that name it is, and how many partitions it has."""

    topic_id: bytes
    """16 bytes; `NO_TOPIC_ID` where the broker gives topics no id (before Kafka 2.8)."""
    partitions: int


@dataclass(frozen=True, slots=True)
class TopicConfiguration:
    """The part of a topic's configuration that the table depends on."""

    compacted: bool
    delete_retention_ms: int


class Topic:
    """A connection that asks about one topic, without ever creating it. An async context manager."""

    def __init__(self, connection: KafkaConnection, name: str) -> None:
        self.name = name
        self._connection = connection
        self._client = AIOKafkaClient(**connection.arguments())

    async def __aenter__(self) -> "Topic":
        """Raises: KafkaError: No broker can be reached."""
        try:
            await started(self._client.bootstrap())
        except BaseException:
            await self._client.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def identity(self) -> TopicIdentity | None:
        """The topic as it is now, as any broker knows it; None where there is none of that name.

        Raises:
            KafkaError: No broker answers, or it refuses, or a partition has no leader.
        """
        asked = self._client.get_random_node()
        if asked is None:
            raise KafkaConnectionError("the cluster names no broker")
        return identity_in(await self._client.send(asked, identity_request(self.name)), self.name)

    async def configuration(self) -> TopicConfiguration:
        """The topic's configuration; Kafka's defaults where the broker does not tell it."""
        admin = AIOKafkaAdminClient(**self._connection.arguments())
        try:
            await started(admin.start())
            responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, self.name)])
            values = {entry[0]: entry[1] for response in responses for entry in response.resources[0][4]}
        except (KafkaError, IncompatibleBrokerVersion, NotImplementedError):
            values = {}
        finally:
            await admin.close()
        return TopicConfiguration(
            compacted="compact" in values.get("cleanup.policy", "compact"),
            delete_retention_ms=int(values.get("delete.retention.ms", DELETE_RETENTION_MS)),
        )


def identity_request(name: str) -> Request[Any]:
    """What to ask a broker for the identity of the topic of that name."""
    return _MetadataRequest(name)


@lru_cache(_ANSWERS_KEPT)
def identity_in(response: Any, name: str) -> TopicIdentity | None:
    """What a broker answered to `identity_request`; None where it knows no topic of that name.

    Raises:
        KafkaError: It refuses, or a partition has no leader.
    """
    topic = response.to_object()["topics"][0]
    error = for_code(topic["error_code"])
    if error is UnknownTopicOrPartitionError:
        return None
    if error is not NoError:
        raise error(name)
    leaders = {partition["partition"]: partition["leader"] for partition in topic["partitions"]}
    unled = sorted(number for number, leader in leaders.items() if leader == _NO_LEADER)
    if unled:
        raise LeaderNotAvailableError(f"no broker leads partition {unled[0]} of topic {name!r}")
    return TopicIdentity(topic.get("topic_id", NO_TOPIC_ID), len(leaders))


class _Uuid:
    """A field type that aiokafka lacks: 16 bytes as they are."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: Any) -> bytes:
        read: bytes = data.read(16)
        return read


# Metadata v12 (KIP-516) is the first version that can be asked by name and answers with the topic's id and that
# aiokafka (which stops at v5) can be taught; v5 serves brokers without ids.
class _MetadataResponse12(Response):
    """Decoded once for as long as brokers answer the same: they are asked behind every fetch."""

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
    @lru_cache(_ANSWERS_KEPT)
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


class _MetadataRequest(Request[MetadataRequest_v4 | MetadataRequest_v5 | _MetadataRequest12]):
    """Asks for one topic by name, in the newest version the broker knows, and does not have it created."""

    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[Any]) -> Any:
        if request_struct_class is _MetadataRequest12:
            return request_struct_class([(NO_TOPIC_ID, self._topic, {})], False, False, {})
        return request_struct_class([self._topic], False)
