"""Administration of topics for tests. Every call returns when its effect can be seen."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import ElectionType, IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

T = TypeVar("T")

REQUEST_SECONDS_MAX = 20.0
VISIBLE_SECONDS_MAX = 20.0
POLL_SECONDS = 0.02

# A broker that was paused may lead no partition for a moment, or not know yet that it was elected again, and its
# controller then cannot place a replica.
LEADERLESS = frozenset(
    {
        KafkaError._NOENT,  # librdkafka found no leader to ask.
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.INVALID_REPLICATION_FACTOR,
    }
)

EARLIEST = OffsetSpec.earliest()
LATEST = OffsetSpec.latest()


def wait_until(seen: Callable[[], bool], what: str, seconds_max: float = VISIBLE_SECONDS_MAX) -> None:
    """Call `seen` until it returns True; raise TimeoutError naming `what` after `seconds_max`.

    An error of Kafka means "not yet".
    """
    deadline = time.monotonic() + seconds_max
    error: KafkaException | None = None
    while time.monotonic() < deadline:
        try:
            if seen():
                return
        except KafkaException as not_yet:
            error = not_yet
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"not seen within {seconds_max} s: {what}") from error


def once_led(ask: Callable[[], T]) -> T:
    """Return the answer of `ask()`, repeated up to VISIBLE_SECONDS_MAX while partitions have no leader."""
    deadline = time.monotonic() + VISIBLE_SECONDS_MAX
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in LEADERLESS or time.monotonic() > deadline:
                raise
        time.sleep(POLL_SECONDS)


class Topics:
    """The topics of the cluster at `bootstrap_servers`.

    Topic settings have Kafka's names; their dots may be written as underscores:
    `create_topic("t", cleanup_policy="compact")`. Methods raise confluent_kafka.KafkaException if Kafka refuses, and
    TimeoutError if an effect cannot be seen within VISIBLE_SECONDS_MAX.
    """

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> None:
        """Create a topic; return once every partition tells its offsets."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=_dotted(config))
        with self._admin() as admin:
            once_led(lambda: _result(admin.create_topics([topic])))
            wait_until(lambda: _serves(admin, name, partitions), f"topic {name} with {partitions} partitions")

    def place_topic(self, name: str, replicas: Sequence[Sequence[int]], **config: str) -> None:
        """Create a topic with its partitions on these nodes; return once the first of each is the leader."""
        placed = [list(nodes) for nodes in replicas]
        topic = NewTopic(name, num_partitions=len(placed), replica_assignment=placed, config=_dotted(config))
        with self._admin() as admin:
            once_led(lambda: _result(admin.create_topics([topic])))
            wait_until(lambda: _serves(admin, name, len(replicas)), f"topic {name} on {replicas}")

    def leaders(self, name: str) -> dict[int, int]:
        """Return the leader of each partition; -1 if it has none."""
        with self._admin() as admin:
            return _leaders(admin, name)

    def lead_by(self, name: str, node: int) -> None:
        """Elect the preferred leaders, which must all be that node; return once it leads every partition."""
        with self._admin() as admin:
            wait_until(lambda: _elect(admin, name, node), f"topic {name} led by {node}")

    def delete_topic(self, name: str) -> None:
        """Delete a topic; return once the metadata no longer shows it."""
        with self._admin() as admin:
            _result(admin.delete_topics([name]))
            wait_until(lambda: name not in _partitions(admin), f"topic {name} deleted")

    def topics(self) -> set[str]:
        """The names of all topics. To ask for all names creates none."""
        with self._admin() as admin:
            return set(_partitions(admin))

    def add_partitions(self, name: str, total: int) -> None:
        """Grow a topic to `total` partitions; return once all of them tell their offsets."""
        with self._admin() as admin:
            once_led(lambda: _result(admin.create_partitions([NewPartitions(name, total)])))
            wait_until(lambda: _serves(admin, name, total), f"topic {name} with {total} partitions")

    def alter_topic(self, name: str, **config: str) -> None:
        """Change some settings of a topic and keep the others; return once the broker shows the new values."""
        wanted = _dotted(config)
        changes = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in wanted.items()
        ]
        with self._admin() as admin:
            _result(
                admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, name, incremental_configs=changes)])
            )
            wait_until(lambda: _has_settings(admin, name, wanted), f"topic {name} with {wanted}")

    def topic_id(self, name: str) -> str:
        """Return the topic's id as Kafka's tools print it (22 characters)."""
        with self._admin() as admin:
            described = _result(admin.describe_topics(TopicCollection([name])))
        # librdkafka uses the standard alphabet of base64, Kafka the URL-safe one.
        return str(described.topic_id).replace("+", "-").replace("/", "_")

    def delete_records(self, name: str, before: Mapping[int, int]) -> None:
        """Delete the records of each given partition before an offset, -1 for all; return once it starts there."""
        requests = [TopicPartition(name, partition, offset) for partition, offset in before.items()]
        with self._admin() as admin:
            starts = once_led(lambda: _delete_records(admin, requests))
            wait_until(
                lambda: starts.items() <= _offsets(admin, name, EARLIEST).items(),
                f"topic {name} starting at {starts}",
            )

    def start_offsets(self, name: str) -> dict[int, int]:
        """The first offset of each partition."""
        with self._admin() as admin:
            return once_led(lambda: _offsets(admin, name, EARLIEST))

    def end_offsets(self, name: str) -> dict[int, int]:
        """The offset after the last record of each partition, committed or not (the high watermark)."""
        with self._admin() as admin:
            return once_led(lambda: _offsets(admin, name, LATEST))

    def stable_end_offsets(self, name: str) -> dict[int, int]:
        """The last stable offset of each partition: where a reader of committed records has everything."""
        with self._admin() as admin:
            return once_led(lambda: _offsets(admin, name, LATEST, IsolationLevel.READ_COMMITTED))

    def settings_of(self, name: str) -> dict[str, str]:
        """Every setting of a topic by Kafka's name, defaults included; Kafka does not show its internal ones."""
        with self._admin() as admin:
            return _settings_of(admin, name)

    def _admin(self) -> AdminClient:
        """Return a client that knows a controller. One that finds none at first takes long to ask again."""
        deadline = time.monotonic() + VISIBLE_SECONDS_MAX
        while time.monotonic() < deadline:
            admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
            cluster = admin.list_topics(timeout=REQUEST_SECONDS_MAX)
            if cluster.controller_id in cluster.brokers:
                return admin
            time.sleep(POLL_SECONDS)
        raise TimeoutError(f"not seen within {VISIBLE_SECONDS_MAX} s: a controller at {self.bootstrap_servers}")


def _offsets(
    admin: AdminClient,
    topic: str,
    which: OffsetSpec,
    isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
) -> dict[int, int]:
    """Return an offset of each partition, as its leader tells it."""
    wanted = {TopicPartition(topic, number): which for number in range(_partitions(admin).get(topic, 0))}
    if not wanted:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"there is no topic {topic}"))
    answers = admin.list_offsets(wanted, isolation_level=isolation, request_timeout=REQUEST_SECONDS_MAX)
    return {partition.partition: future.result().offset for partition, future in answers.items()}


def _leaders(admin: AdminClient, topic: str) -> dict[int, int]:
    partitions = admin.list_topics(topic, timeout=REQUEST_SECONDS_MAX).topics[topic].partitions
    return {number: partition.leader for number, partition in partitions.items()}


def _elect(admin: AdminClient, topic: str, node: int) -> bool:
    """Elect the preferred leaders. Kafka does so only once they are in sync; return whether it did."""
    partitions = [TopicPartition(topic, partition) for partition in _leaders(admin, topic)]
    admin.elect_leaders(ElectionType.PREFERRED, partitions).result(REQUEST_SECONDS_MAX)
    return set(_leaders(admin, topic).values()) == {node}


def _delete_records(admin: AdminClient, requests: list[TopicPartition]) -> dict[int, int]:
    answers = admin.delete_records(requests, request_timeout=REQUEST_SECONDS_MAX)
    return {partition.partition: future.result().low_watermark for partition, future in answers.items()}


def _serves(admin: AdminClient, topic: str, partitions: int) -> bool:
    return len(_offsets(admin, topic, EARLIEST)) == partitions


def _partitions(admin: AdminClient) -> dict[str, int]:
    """The number of partitions of every topic."""
    topics = admin.list_topics(timeout=REQUEST_SECONDS_MAX).topics
    return {name: len(topic.partitions) for name, topic in topics.items()}


def _settings_of(admin: AdminClient, topic: str) -> dict[str, str]:
    shown = _result(admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))
    return {name: entry.value for name, entry in shown.items()}


def _has_settings(admin: AdminClient, topic: str, wanted: Mapping[str, str]) -> bool:
    shown = _settings_of(admin, topic)
    return all(_same(shown.get(name, value), value) for name, value in wanted.items())


def _same(shown: str, wanted: str) -> bool:
    """Whether two texts mean the same setting: Kafka may write 0 as 0.0."""
    try:
        return float(shown) == float(wanted)
    except ValueError:
        return shown == wanted


def _dotted(config: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): value for name, value in config.items()}


def _result(answers: Mapping[Any, Future[Any]]) -> Any:
    """Wait for an administrative request about one thing; return its result."""
    (future,) = answers.values()
    return future.result(REQUEST_SECONDS_MAX)
