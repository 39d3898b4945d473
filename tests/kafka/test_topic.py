"""What a broker's answer says about a topic's identity."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    LeaderNotAvailableError,
    NoError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from kvs_graphql.compat.aiokafka_requests import topic_metadata_request
from kvs_graphql.cursor import NO_TOPIC_ID
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.inspection import topics_of
from kvs_graphql.kafka.topic import Topic, TopicConfiguration, TopicIdentity, configuration_in, identity_in

Ask = Callable[[KafkaConnection], Awaitable[object]]

TOPIC_ID = b"1" * 16


def response(*leaders: int, error_code: int = NoError.errno) -> Any:
    """A response of version 12 about a topic whose partitions have these leaders."""
    partitions: list[Any] = [(0, number, leader, 0, [1], [1], [], {}) for number, leader in enumerate(leaders)]
    topics: list[Any] = [(error_code, "topic", TOPIC_ID, False, partitions, 0, {})]
    return topic_metadata_request("topic").prepare({3: (0, 12)}).RESPONSE_TYPE(0, [], None, 1, topics, {})


def response_without_id(*leaders: int) -> Any:
    """A response of version 5, which has no topic ids."""
    partitions: list[Any] = [(0, number, leader, [1], [1], []) for number, leader in enumerate(leaders)]
    topics = [(0, "topic", False, partitions)]
    return topic_metadata_request("topic").prepare({3: (0, 5)}).RESPONSE_TYPE(0, [], None, 1, topics)


def test_identity_has_the_topic_id_and_the_number_of_partitions() -> None:
    assert identity_in(response(1, 2, 1), "topic") == TopicIdentity(TOPIC_ID, 3)


def test_older_broker_gives_no_topic_id() -> None:
    assert identity_in(response_without_id(1, 1), "topic") == TopicIdentity(NO_TOPIC_ID, 2)


def test_missing_topic_has_no_identity() -> None:
    assert identity_in(response(error_code=UnknownTopicOrPartitionError.errno), "topic") is None


def test_refusal_is_raised() -> None:
    with pytest.raises(TopicAuthorizationFailedError, match="topic"):
        identity_in(response(error_code=TopicAuthorizationFailedError.errno), "topic")


def test_partition_without_a_leader_is_named() -> None:
    with pytest.raises(LeaderNotAvailableError, match="no broker leads partition 1 of topic 'topic'"):
        identity_in(response(1, -1, -1), "topic")


def described(*entries: tuple[str, str], error_code: int = NoError.errno) -> Any:
    return (error_code, None, 2, "topic", list(entries))


@pytest.mark.parametrize(("policy", "compacted"), [("compact", True), ("compact,delete", True), ("delete", False)])
def test_configuration_is_what_the_broker_says(policy: str, compacted: bool) -> None:
    found = configuration_in(described(("cleanup.policy", policy), ("delete.retention.ms", "5")), "topic")
    assert found == TopicConfiguration(compacted, 5)


@pytest.mark.parametrize("error", [TopicAuthorizationFailedError, ClusterAuthorizationFailedError])
def test_configuration_without_the_right_to_see_it_is_unknown(error: type[TopicAuthorizationFailedError]) -> None:
    found = configuration_in(described(error_code=error.errno), "topic")
    assert (found.compacted, found.delete_retention_ms) == (None, None)
    assert found.unknown_because == "the user lacks the right DESCRIBE_CONFIGS on topic 'topic'"


def test_configuration_that_the_broker_leaves_out_is_unknown() -> None:
    found = configuration_in(described(), "topic")
    assert found == TopicConfiguration(None, None, unknown_because="the broker does not show it")


def test_error_that_may_pass_is_raised_instead_of_a_configuration() -> None:
    with pytest.raises(LeaderNotAvailableError):
        configuration_in(described(error_code=LeaderNotAvailableError.errno), "topic")


async def identity_of(connection: KafkaConnection) -> object:
    async with Topic(connection, "topic") as topic:
        return await topic.identity()


async def configuration_of(connection: KafkaConnection) -> object:
    return await Topic(connection, "topic").configuration()


@pytest.mark.parametrize("ask", [identity_of, configuration_of, topics_of])
async def test_stop_while_a_client_closes_is_not_lost(
    embedded_broker: EmbeddedBroker,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[KafkaConnection], Awaitable[object]],
) -> None:
    """A service that lost it would go on for ever."""
    close = AIOKafkaClient.close

    async def close_and_be_stopped(client: AIOKafkaClient) -> None:
        asyncio.get_running_loop().call_soon(asking.cancel)
        await close(client)

    monkeypatch.setattr(AIOKafkaClient, "close", close_and_be_stopped)
    asking = asyncio.ensure_future(ask(KafkaConnection(embedded_broker.bootstrap_servers)))
    with pytest.raises(asyncio.CancelledError):
        await asking
