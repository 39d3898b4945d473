"""Whether a table and a topic belong together: pure decisions, taken before the first fetch.

A table goes on from its positions only if those are places in the same topic's log. Where they are not, going
on would mix two logs, or keep keys whose deletes were missed: the service refuses, and says so.
"""

from dataclasses import dataclass

from kvs_graphql.cursor import NO_TOPIC_ID
from kvs_graphql.errors import TopicMismatch
from kvs_graphql.kafka.topic import TopicIdentity
from kvs_graphql.records import Positions, position_in
from kvs_graphql.store import Source

_WAY_OUT = "Move the database file away, and the table is built again from Kafka."


@dataclass(frozen=True, slots=True)
class LogBounds:
    """Of each partition, the first offset that Kafka still has, and the end of what is committed."""

    start: Positions
    end: Positions


def check(source: Source, positions: Positions, topic: str, identity: TopicIdentity, bounds: LogBounds) -> None:
    """Return if the table can go on from its positions.

    Raises:
        TopicMismatch: It was built from another topic, or from a part of the log that is gone.
    """
    if source.topic != topic:
        raise TopicMismatch(f"The database holds topic {source.topic!r}, not {topic!r}. {_WAY_OUT}")
    if NO_TOPIC_ID not in (source.topic_id, identity.topic_id) and source.topic_id != identity.topic_id:
        raise TopicMismatch(f"Topic {topic!r} was deleted and created again since the table was built. {_WAY_OUT}")
    for partition, position in enumerate(positions):
        if position > position_in(bounds.end, partition):
            raise TopicMismatch(
                f"Partition {partition} of topic {topic!r} ends at offset {position_in(bounds.end, partition)}, "
                f"before the table's position {position}: Kafka has lost records or is another. {_WAY_OUT}"
            )
        if 0 < position < position_in(bounds.start, partition):
            raise TopicMismatch(
                f"Partition {partition} of topic {topic!r} starts at offset {bounds.start[partition]}, past the "
                f"table's position {position}: records that were never read are gone. {_WAY_OUT}"
            )


def first_positions(positions: Positions, bounds: LogBounds) -> Positions:
    """Where to read from: the table's positions, or the start of the log where it has none yet."""
    return tuple(max(position_in(positions, partition), start) for partition, start in enumerate(bounds.start))
