"""Clients see why Kafka refused a write."""

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from kvs_graphql.errors import Forbidden, KafkaUnavailable, KvsError, ValueTooLarge
from kvs_graphql.kafka.producer_session import Refused
from kvs_graphql.kafka.write_errors import outcome_unknown, refusal, unavailable
from kvs_graphql.state import Lifecycle, State


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MessageSizeTooLargeError(), ValueTooLarge),
        (RecordListTooLargeError(), ValueTooLarge),
        (TopicAuthorizationFailedError("topic"), Forbidden),
        (ClusterAuthorizationFailedError(), Forbidden),
        (InvalidTimestampError(), KafkaUnavailable),
    ],
)
def test_refusal_becomes_the_matching_error(error: KafkaError, expected: type[KvsError]) -> None:
    assert type(refusal(Refused(error))) is expected


def test_unavailable_write_shows_state_and_reason() -> None:
    lifecycle = Lifecycle()
    lifecycle.move(State.WAITING_FOR_BROKER, "away")
    error = unavailable("away", lifecycle.moment)
    assert str(error) == "The write was not sent to Kafka and will not be: away."
    assert error.details == {"state": "WAITING_FOR_BROKER", "reason": "away"}


def test_unknown_outcome_shows_the_reason() -> None:
    error = outcome_unknown("Kafka did not answer in time")
    assert str(error).endswith("may still get it: Kafka did not answer in time.")
    assert error.details == {"reason": "Kafka did not answer in time"}
