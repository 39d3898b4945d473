"""The errors of writes, as clients see them."""

from kvs_graphql.errors import Forbidden, KafkaUnavailable, KvsError, Unavailable, ValueTooLarge, WriteOutcomeUnknown
from kvs_graphql.kafka.failures import words
from kvs_graphql.kafka.producer_session import FORBIDDEN, TOO_LARGE, Refused
from kvs_graphql.state import Moment


def unavailable(reason: str, moment: Moment) -> KafkaUnavailable:
    """The error of a write that was never sent and never will be."""
    return KafkaUnavailable(
        f"The write was not sent to Kafka and will not be: {reason}.", state=moment.state.value, reason=reason
    )


def stopped(moment: Moment) -> Unavailable:
    """The error of a write to a table that cannot go on: it is not sent, since no one would read it back."""
    return Unavailable(
        f"The table cannot go on, and takes no writes: {moment.reason}", state=moment.state.value, reason=moment.reason
    )


def outcome_unknown(reason: str) -> WriteOutcomeUnknown:
    """The error of a write that was sent and has no answer."""
    return WriteOutcomeUnknown(
        f"The write was sent to Kafka, which may have it or may still get it: {reason}.", reason=reason
    )


def refusal(refused: Refused) -> KvsError:
    """The error of a write that Kafka refused."""
    if isinstance(refused.error, TOO_LARGE):
        return ValueTooLarge("The record is larger than the topic allows.")
    if isinstance(refused.error, FORBIDDEN):
        return Forbidden("Kafka does not allow this service to write to the topic.")
    reason = words(refused.error)
    return KafkaUnavailable(f"Kafka refused the write: {reason}.", reason=reason)
