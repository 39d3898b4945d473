"""The truth of a simulated topic, and what a client of it may and may not see."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from kvs_graphql.feed import Kind, Update
from kvs_graphql.records import Batch, Interest, Positions, Record, position_in

Table = dict[bytes, bytes]
TOPIC_ID = b"simulated-topic!"


class OrderViolated(AssertionError):
    """A partition's changes came out of order, or one of them twice."""


class ChangeLost(AssertionError):
    """A change that the client was to be told of never came."""


class TableDiffers(AssertionError):
    """What the client holds is not the table at its cursor."""


class CursorWentBack(AssertionError):
    """A cursor stood before an earlier one."""


@dataclass
class Log:
    """A topic: of each partition the records, whose offsets may leave gaps as compaction and markers do."""

    partitions: list[list[Record]]
    ends: list[int]

    @classmethod
    def random(cls, random: Random, *, partitions: int, records: int, keys: int) -> "Log":
        log = cls([[] for _ in range(partitions)], [0] * partitions)
        for number in range(records):
            key = b"%c%d" % (random.choice(b"ab"), random.randrange(keys))
            # As Kafka's partitioners do: a key has one partition.
            partition = sum(key) % partitions
            value = None if random.random() < 0.25 else b"v%d" % number
            log.ends[partition] += random.choice((0, 0, 0, 1, 2))
            log.partitions[partition].append(Record(key, value, partition, log.ends[partition], number, None))
            log.ends[partition] += 1
        log.ends = [end + random.randrange(2) for end in log.ends]
        return log

    def table(self, positions: Positions, interest: Interest) -> Table:
        """For each key of interest the last record below `positions`."""
        table: Table = {}
        for partition, records in enumerate(self.partitions):
            for record in records:
                if record.offset < position_in(positions, partition) and interest.matches(record.key):
                    _apply(table, record)
        return table

    def batch(self, random: Random, positions: Positions, *, records_max: int) -> Batch:
        """A batch as the consumer might gather it: up to so many records past `positions` of some partitions."""
        runs, reached = [], list(positions) + [0] * (len(self.partitions) - len(positions))
        for partition, records in enumerate(self.partitions):
            run = [r for r in records if r.offset >= reached[partition]][: random.randint(0, records_max)]
            if run:
                runs.append(run)
                reached[partition] = run[-1].offset + 1
            if reached[partition] >= (records[-1].offset + 1 if records else 0) and random.random() < 0.5:
                reached[partition] = self.ends[partition]
        remaining = sum(self.ends) - sum(reached)
        return Batch(tuple(runs), tuple(reached), sum(r.size_bytes for run in runs for r in run), remaining)

    @property
    def end(self) -> Positions:
        return tuple(self.ends)


@dataclass
class ClientView:
    """Folds the updates of one subscription, over all its resumptions, and checks each against the log."""

    log: Log
    interest: Interest
    table: Table = field(default_factory=dict)
    cursor: Positions = ()
    live: bool = False
    lossless: bool = False
    """Whether every change since `start` is to be told of, not only the last of each key."""
    start: Positions = ()
    told: list[Record] = field(default_factory=list)

    def begin(self, cursor: Positions) -> None:
        """Subscribe at a place, holding the table of that place."""
        self.cursor = self.start = cursor
        self.table = self.log.table(cursor, self.interest)
        self.live = self.lossless = True

    def see(self, update: Update) -> None:
        self._check_cursor(update)
        if update.kind in (Kind.RESET, Kind.CONFLATED):
            self.check_complete()
            self.live = self.lossless = False
        self.cursor = update.cursor.positions
        if update.kind is Kind.RESET:
            self.table, self.told = {}, []
        elif update.kind is Kind.LIVE and not self.live:
            self.live = self.lossless = True
            self.start = self.cursor
        elif update.record is not None:
            self._see_record(update.kind, update.record)
        if self.live:
            self.check_table()

    def check_table(self) -> None:
        truth = self.log.table(self.cursor, self.interest)
        if self.table != truth:
            raise TableDiffers(f"at {self.cursor}: {_difference(self.table, truth)}")

    def check_complete(self) -> None:
        """Every change since the start was told of, if none was to be left out."""
        if self.lossless:
            due = [
                r
                for records in self.log.partitions
                for r in records
                if position_in(self.start, r.partition) <= r.offset < position_in(self.cursor, r.partition)
                and self.interest.matches(r.key)
            ]
            told = {(r.partition, r.offset) for r in self.told}
            lost = [r for r in due if (r.partition, r.offset) not in told]
            if lost:
                raise ChangeLost(f"{lost[:3]} between {self.start} and {self.cursor}")

    def _see_record(self, kind: Kind, record: Record) -> None:
        assert not (kind is Kind.SNAPSHOT and self.live)
        expected = Kind.DELETE if record.value is None else Kind.SET
        assert kind in (Kind.SNAPSHOT, expected)
        assert self.interest.matches(record.key)
        if any(r.partition == record.partition and r.offset >= record.offset for r in self.told):
            raise OrderViolated(f"{record} after {[r.offset for r in self.told if r.partition == record.partition]}")
        self.told.append(record)
        _apply(self.table, record)

    def _check_cursor(self, update: Update) -> None:
        if update.kind is Kind.RESET:
            return
        reached = update.cursor.positions
        if any(position_in(reached, p) < offset for p, offset in enumerate(self.cursor)):
            raise CursorWentBack(f"{self.cursor} then {reached} ({update})")
        if update.record is not None and position_in(reached, update.record.partition) != update.record.offset + 1:
            raise CursorWentBack(f"{reached} does not stand just after {update.record}")


def _apply(table: Table, record: Record) -> None:
    if record.value is None:
        table.pop(record.key, None)
    else:
        table[record.key] = record.value


def _difference(held: Table, truth: Table) -> str:
    keys: Iterable[bytes] = sorted(key for key in {*held, *truth} if held.get(key) != truth.get(key))
    return ", ".join(f"{key!r} held {held.get(key)!r}, true {truth.get(key)!r}" for key in keys)


def covers_all(positions: Sequence[int], wanted: Positions) -> bool:
    return all(position_in(tuple(positions), p) >= offset for p, offset in enumerate(wanted))
