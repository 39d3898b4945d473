"""Whether a table can go on from its positions in a topic: pure decisions, made before the first fetch.

A table goes on only if its positions lie in the same topic's log and no delete was missed. Otherwise it would mix two
logs or keep deleted keys, and has to be rebuilt.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kvs_graphql.cursor import NO_TOPIC_ID
from kvs_graphql.errors import TopicMismatch
from kvs_graphql.kafka.clock import Ago
from kvs_graphql.kafka.topic import TopicConfiguration, TopicIdentity
from kvs_graphql.records import EpochEnd, Epochs, Positions, covers, position_in, was_cut
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


def cut_reason(positions: Positions, epochs: Epochs, ends: Mapping[int, EpochEnd]) -> str | None:
    """Return why the log is not the one that the table was read from; None if it is, as far as its epochs tell.

    `ends` has the answers for the partitions whose epoch is known: the last epoch of the log that is not above it, and
    where that ended. Another epoch, or an end below the position, means that the log was cut short below the position
    and grew again: what the table read is not in it (KIP-320).
    """
    for partition, end in ends.items():
        if was_cut(positions[partition], epochs[partition], end):
            return (
                f"the log of partition {partition} was cut short and grew again: the table has read up to offset "
                f"{positions[partition]} under leader epoch {epochs[partition]}, which is not in it"
            )
    return None


def missed_deletes_reason(configuration: TopicConfiguration, caught_up: Ago, clock_difference_ms: float) -> str | None:
    """Return why a table that last caught up so long ago may have missed deletes; None if it cannot have.

    Compaction drops a tombstone `delete.retention.ms` after it was written. A table that last caught up longer ago may
    never see it. A time in the future proves that a clock was wrong, then or now: nothing is known of what has passed.

    If it is uncertain, the clock may have stepped by `clock_difference_ms` both ways since, though not by more than
    half of the retention: that much more may have passed.
    """
    retention_ms = configuration.delete_retention_ms
    if configuration.compacted is False or retention_ms is None:
        return None
    why = f"the topic keeps tombstones for {retention_ms / 1000:.0f} s"
    return _missed_within(retention_ms, caught_up, clock_difference_ms, why)


def unknown_deletes_reason(
    configuration: TopicConfiguration,
    positions: Positions,
    bounds: LogBounds,
    caught_up: Ago,
    clock_difference_ms: float,
) -> str | None:
    """Return why a table that is about to go on may have missed deletes that nobody can know of; else None.

    If it is unknown how long the topic keeps tombstones, a table that was away is rebuilt unless it is at the log's
    end. The minute lets a lost connection pass; a table that keeps reading is not rebuilt again and again.
    """
    is_known = configuration.compacted is False or configuration.delete_retention_ms is not None
    if is_known or covers(positions, bounds.end):
        return None
    why = "how long the topic keeps tombstones is unknown"
    return _missed_within(UNKNOWN_RETENTION_MS, caught_up, clock_difference_ms, why)


def _missed_within(retention_ms: int, caught_up: Ago, clock_difference_ms: float, why: str) -> str | None:
    margin_ms, ago_ms = min(clock_difference_ms, retention_ms / 2), caught_up.milliseconds
    if ago_ms < -margin_ms:
        return f"the table last caught up {-ago_ms / 1000:.0f} s in the future by this machine's clock, and {why}"
    if ago_ms > retention_ms - (0 if caught_up.is_certain else margin_ms):
        return f"the table last caught up {ago_ms / 1000:.0f} s ago, and {why}"
    return None


def all_deletes_written_since_ms(
    configuration: TopicConfiguration, read_until_ms: int, clock_difference_ms: float
) -> int | None:
    """Return a time: Kafka still has all tombstones after the first record whose timestamp is not below it.

    That is of a first read which ended at `read_until_ms`. None where no timestamp proves it.

    Kafka keeps a tombstone for `delete.retention.ms` after it was written. A timestamp is its producer's, and the
    broker accepts those that are ahead of its own clock by up to `message.timestamp.after.max.ms`. So the first record
    with a timestamp this far above `read_until_ms - delete.retention.ms` was written after that moment, and so were
    all records that follow it in the log, whatever their timestamps.
    """
    retention_ms, ahead_ms = configuration.delete_retention_ms, configuration.timestamps_ahead_ms_max
    if retention_ms is None or ahead_ms is None:
        return None
    return max(0, read_until_ms - retention_ms + ahead_ms + int(clock_difference_ms))


def first_positions(positions: Positions, bounds: LogBounds) -> Positions:
    """Return where to read from: the table's positions, or the start of the log where the table has none yet."""
    return tuple(max(position_in(positions, partition), start) for partition, start in enumerate(bounds.start))
