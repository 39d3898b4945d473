"""What Kafka says about a topic: its identity, its partitions, and how long it keeps tombstones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    LeaderNotAvailableError,
    NoError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from kvs_graphql.compat.aiokafka import ask_any_broker
from kvs_graphql.compat.aiokafka_requests import (
    epoch_ends,
    epoch_ends_request,
    may_write,
    topic_metadata,
    topic_metadata_request,
)
from kvs_graphql.cursor import NO_TOPIC_ID
from kvs_graphql.kafka.connection import KafkaConnection, close_client, start_client
from kvs_graphql.records import EpochEnd, Epochs

_NO_LEADER = -1
# Enough for the brokers of a few topics.
_IDENTITIES_CACHED = 16


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """Tells a topic from others of the same name, and how many partitions it has."""

    topic_id: bytes
    """16 bytes; `NO_TOPIC_ID` if the broker gives topics no id (before Kafka 2.8)."""
    partitions: int
    leaders: tuple[int, ...] = field(default=(), compare=False)
    """The broker that leads each partition."""
    leader_epochs: Epochs = field(default=(), compare=False)
    """The epoch of each of these leaders; empty if the broker does not say (before Kafka 2.8)."""


@dataclass(frozen=True, slots=True)
class TopicConfiguration:
    """The part of a topic's configuration that the table depends on. None: unknown, and nothing is assumed."""

    compacted: bool | None
    delete_retention_ms: int | None
    timestamps_ahead_ms_max: int | None = None
    """How far a record's timestamp may be ahead of the broker's clock as it is written."""
    unknown_because: str = ""
    retention_ms: int | None = None
    """How long records are kept, whatever their keys; None if their age does not matter, or it is unknown."""


class Topic:
    """A connection for questions about one topic. It never creates the topic. An async context manager."""

    def __init__(self, connection: KafkaConnection, name: str) -> None:
        self.name = name
        self._connection = connection
        self._client = AIOKafkaClient(**connection.arguments())

    async def __aenter__(self) -> "Topic":
        """Connect.

        Raises:
            KafkaError: No broker can be reached.
        """
        try:
            await start_client(self._client.bootstrap())
        except BaseException:
            await close_client(self._client.close())
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await close_client(self._client.close())

    async def identity(self) -> TopicIdentity | None:
        """Return the topic's current identity as some broker knows it; None if there is no topic of that name.

        Raises:
            KafkaError: No broker answers, or it refuses, or a partition has no leader.
        """
        return identity_in(await ask_any_broker(self._client, topic_metadata_request(self.name)), self.name)

    async def may_write(self) -> bool | None:
        """Return whether the user may write to the topic; None if the broker does not tell (before Kafka 2.8).

        Raises:
            KafkaError: No broker answers.
        """
        return may_write(await ask_any_broker(self._client, topic_metadata_request(self.name, operations=True)))

    async def epoch_ends(self, leader: int, epochs: Mapping[int, int]) -> dict[int, EpochEnd]:
        """Return, by partition, the last epoch not above the given one, and where it ended, as its leader knows.

        Nothing is returned if the broker does not know this request (before Kafka 2.1).

        Raises:
            KafkaError: The leader did not answer, or refused, or leads no more.
        """
        try:
            response = await self._client.send(leader, epoch_ends_request(self.name, epochs))
        except (IncompatibleBrokerVersion, NotImplementedError):
            return {}
        found = {}
        for code, partition, epoch, end in epoch_ends(response):
            if (error := for_code(code)) is not NoError:
                raise error(self.name)
            found[partition] = EpochEnd(epoch, end)
        return found

    async def configuration(self) -> TopicConfiguration:
        """Return the topic's configuration; unknown, with the reason, where the user or the broker cannot say.

        Raises:
            KafkaError: No broker answers.
        """
        admin = AIOKafkaAdminClient(**self._connection.arguments())
        try:
            await start_client(admin.start())
            (response,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, self.name)])
        except (IncompatibleBrokerVersion, NotImplementedError):
            return TopicConfiguration(None, None, unknown_because="the broker cannot show it")
        finally:
            await close_client(admin.close())
        return configuration_in(response.resources[0], self.name)


def configuration_in(resource: Sequence[Any], name: str) -> TopicConfiguration:
    """Return the configuration in a response: error code, message, type, name, entries that begin with name and value.

    Raises:
        KafkaError: The broker answers an error that may pass.
    """
    error = for_code(resource[0])
    if error in (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):
        return TopicConfiguration(
            None, None, unknown_because=f"the user lacks the right DESCRIBE_CONFIGS on topic {name!r}"
        )
    if error is not NoError:
        raise error(f"Kafka answers {error.message} about the configuration of topic {name!r}")
    values = {entry[0]: entry[1] for entry in resource[4]}
    policy, retention = values.get("cleanup.policy"), values.get("delete.retention.ms")
    return TopicConfiguration(
        compacted=None if policy is None else "compact" in policy,
        delete_retention_ms=None if retention is None else int(retention),
        timestamps_ahead_ms_max=_timestamps_ahead_ms_max(values),
        unknown_because="the broker does not show it" if None in (policy, retention) else "",
        retention_ms=_retention_ms(policy, values.get("retention.ms")),
    )


def _retention_ms(policy: str | None, retention: str | None) -> int | None:
    if policy is None or "delete" not in policy or retention in (None, "-1"):
        return None
    return int(retention)


def _timestamps_ahead_ms_max(values: Mapping[str, str]) -> int | None:
    if values.get("message.timestamp.type") == "LogAppendTime":
        return 0
    limit = values.get("message.timestamp.after.max.ms")
    return None if limit is None else int(limit)


@lru_cache(_IDENTITIES_CACHED)
def identity_in(response: Any, name: str) -> TopicIdentity | None:
    """Return the identity that a response to `topic_metadata_request` gives; None if the topic does not exist.

    Raises:
        KafkaError: The broker refused, or a partition has no leader.
    """
    topic = topic_metadata(response)
    error = for_code(topic["error_code"])
    if error is UnknownTopicOrPartitionError:
        return None
    if error is not NoError:
        raise error(f"Kafka answers {error.message} about topic {name!r}")
    partitions = sorted(topic["partitions"], key=itemgetter("partition"))
    leaders = {partition["partition"]: partition["leader"] for partition in partitions}
    leaderless = sorted(number for number, leader in leaders.items() if leader == _NO_LEADER)
    if leaderless:
        raise LeaderNotAvailableError(f"no broker leads partition {leaderless[0]} of topic {name!r}")
    epochs = tuple(partition["leader_epoch"] for partition in partitions if "leader_epoch" in partition)
    return TopicIdentity(topic.get("topic_id", NO_TOPIC_ID), len(leaders), tuple(leaders.values()), epochs)
