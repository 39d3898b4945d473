"""A look at topics without serving them: what `check` and `init` have to know."""

from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import TopicAuthorizationFailedError

from kvs_graphql.compat.aiokafka_connections import unconnected
from kvs_graphql.kafka.connection import TRANSIENT, KafkaConnection, close_client, start_client
from kvs_graphql.kafka.consumer_session import ConsumerSession, NoTopic, open_session
from kvs_graphql.kafka.failures import failure_of
from kvs_graphql.kafka.topic import TopicConfiguration

_FETCH_BYTES_MAX = 65_536
_FETCH_MS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What a service that read the topic now would find."""

    partitions: int
    offsets: int
    """From the start to the end of all partitions; compaction may have left fewer records."""
    configuration: TopicConfiguration
    may_read: bool
    may_write: bool | None
    """Whether the user may write to it; None if the broker does not tell."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """There is no such topic."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Kafka cannot be used, or refuses, for a reason in words."""

    reason: str


async def inspect_topic(connection: KafkaConnection, name: str) -> TopicFacts | NotFound | Unusable:
    """Look at a topic as the consumer does."""
    with unconnected() as failures:
        try:
            async with open_session(connection, name, fetch_bytes_max=_FETCH_BYTES_MAX) as session:
                offsets = sum(session.bounds.end) - sum(session.bounds.start)
                may_read, may_write = await _may_read(session), await session.topic.may_write()
                return TopicFacts(session.identity.partitions, offsets, session.configuration, may_read, may_write)
        except NoTopic:
            return NotFound()
        except TRANSIENT as error:
            return Unusable(failure_of(error, failures, name).reason)


async def _may_read(session: ConsumerSession) -> bool:
    """Fetch once: only that proves the right to read."""
    for partition, offset in zip(session.partitions, session.bounds.start, strict=True):
        session.consumer.seek(partition, offset)
    try:
        await session.consumer.getmany(timeout_ms=_FETCH_MS_MAX, max_records=1)
    except TopicAuthorizationFailedError:
        return False
    return True


async def topics_of(connection: KafkaConnection) -> list[str] | Unusable:
    """The names of the topics that the user may see, in order, without Kafka's own."""
    admin = AIOKafkaAdminClient(**connection.arguments())
    with unconnected() as failures:
        try:
            await start_client(admin.start())
            names: list[str] = await admin.list_topics()
        except TRANSIENT as error:
            return Unusable(failure_of(error, failures, "").reason)
        finally:
            await close_client(admin.close())
    return sorted(name for name in names if not name.startswith("__"))
