"""What a broker's answer says about a topic's identity."""

from typing import Any

import pytest
from aiokafka.errors import (
    LeaderNotAvailableError,
    NoError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from kvs_graphql.compat.aiokafka import topic_metadata_request
from kvs_graphql.cursor import NO_TOPIC_ID
from kvs_graphql.kafka.topic import TopicIdentity, identity_in

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
