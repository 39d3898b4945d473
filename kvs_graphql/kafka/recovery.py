"""Whether a table can go on from its positions in a topic: pure decisions, made before the first fetch.

A table goes on only if its positions lie in the same topic's log and no delete was missed. Otherwise it would mix two
logs or keep deleted keys, and has to be rebuilt.
"""

from dataclasses import dataclass

from kvs_graphql.cursor import NO_TOPIC_ID
from kvs_graphql.errors import TopicMismatch
from kvs_graphql.kafka.topic import TopicConfiguration, TopicIdentity
from kvs_graphql.records import Positions, covers, position_in
from kvs_graphql.store import Source

UNKNOWN_RETENTION_MS = 60_000
"""After how long an absence deletes may have been missed, if nobody knows how long the topic keeps tombstones."""


@dataclass(frozen=True, slots=True)
class LogBounds:
    """For each partition, the first offset that Kafka still has, and the last stable offset."""

    start: Positions
    end: Positions


def rebuild_reason(
    source: Source, positions: Positions, topic: str, identity: TopicIdentity, bounds: LogBounds
) -> str | None:
    """Return why the table has to be rebuilt, judged by the topic's id and the bounds of its log; None if it is sound.

    Raises:
        TopicMismatch: The table holds a topic of another name. That is a wrong setting, no reason to drop a table.
    """
    if source.topic != topic:
        raise TopicMismatch(
            f"The database holds topic {source.topic!r}, not {topic!r}: "
            "set another KVS_DATABASE, or move this file away."
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


def missed_deletes_reason(source: Source, configuration: TopicConfiguration, now_ms: int) -> str | None:
    """Return why the table may have missed deletes; None if it cannot have, or if the topic's retention is unknown.

    Compaction drops a tombstone `delete.retention.ms` after it was written. A table that last caught up longer ago may
    never see it.
    """
    retention_ms = configuration.delete_retention_ms
    if configuration.compacted is False or retention_ms is None:
        return None
    return _missed_within(retention_ms, source, now_ms, f"the topic keeps tombstones for {retention_ms / 1000:.0f} s")


def unknown_deletes_reason(
    source: Source, configuration: TopicConfiguration, positions: Positions, bounds: LogBounds, now_ms: int
) -> str | None:
    """Return why a table that is about to go on may have missed deletes that nobody can know of; else None.

    If it is unknown how long the topic keeps tombstones, a table that was away is rebuilt unless it is at the log's
    end. The minute lets a lost connection pass; a table that keeps reading is not rebuilt again and again.
    """
    is_known = configuration.compacted is False or configuration.delete_retention_ms is not None
    if is_known or covers(positions, bounds.end):
        return None
    return _missed_within(UNKNOWN_RETENTION_MS, source, now_ms, "how long the topic keeps tombstones is unknown")


def _missed_within(retention_ms: int, source: Source, now_ms: int, why: str) -> str | None:
    behind_ms = now_ms - source.caught_up_at
    return f"the table last caught up {behind_ms / 1000:.0f} s ago, and {why}" if behind_ms > retention_ms else None


def first_positions(positions: Positions, bounds: LogBounds) -> Positions:
    """Return where to read from: the table's positions, or the start of the log where the table has none yet."""
    return tuple(max(position_in(positions, partition), start) for partition, start in enumerate(bounds.start))
