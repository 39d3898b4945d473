"""Whether a table and a topic belong together: pure decisions, taken before the first fetch.

A table goes on from its positions only if those are places in the same topic's log. Where they are not, going
on would mix two logs, or keep keys whose deletes were missed: then the table is built again.
"""

from dataclasses import dataclass

from kvs_graphql.cursor import NO_TOPIC_ID
from kvs_graphql.errors import TopicMismatch
from kvs_graphql.kafka.topic import TopicConfiguration, TopicIdentity
from kvs_graphql.records import Positions, position_in
from kvs_graphql.store import Source


@dataclass(frozen=True, slots=True)
class LogBounds:
    """Of each partition, the first offset that Kafka still has, and the end of what is committed."""

    start: Positions
    end: Positions


def why_not(source: Source, positions: Positions, topic: str, identity: TopicIdentity, bounds: LogBounds) -> str | None:
    """Why the table cannot go on from its positions; None if it can.

    Raises:
        TopicMismatch: It holds a topic of another name: rather a wrong setting than a reason to drop a table.
    """
    if source.topic != topic:
        raise TopicMismatch(
            f"The database holds topic {source.topic!r}, not {topic!r}: "
            "name another KVS_DATABASE, or move this one away."
        )
    if NO_TOPIC_ID not in (source.topic_id, identity.topic_id) and source.topic_id != identity.topic_id:
        return f"topic {topic!r} was deleted and created again since the table was built"
    for partition, position in enumerate(positions):
        end, start = position_in(bounds.end, partition), position_in(bounds.start, partition)
        if position > end:
            return f"partition {partition} ends at offset {end}, before the table's position {position}"
        if 0 < position < start:
            return f"partition {partition} starts at offset {start}, past the table's position {position}"
    return None


def forgotten(source: Source, configuration: TopicConfiguration, now_ms: int) -> str | None:
    """Whether Kafka may have forgotten deletes that the table has not read: compaction drops them after a time."""
    behind_ms = now_ms - source.caught_up_at
    if not configuration.compacted or behind_ms <= configuration.delete_retention_ms:
        return None
    return (
        f"the table last caught up {behind_ms / 1000:.0f} s ago, and the topic remembers deletes for "
        f"{configuration.delete_retention_ms / 1000:.0f} s"
    )


def first_positions(positions: Positions, bounds: LogBounds) -> Positions:
    """Where to read from: the table's positions, or the start of the log where it has none yet."""
    return tuple(max(position_in(positions, partition), start) for partition, start in enumerate(bounds.start))
