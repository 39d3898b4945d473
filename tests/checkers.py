"""What a client of a topic may and may not see: each promise a named error, for the simulation and for real runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kvs_graphql.feed import Kind, Update
from kvs_graphql.records import Interest, Positions, Record, covers, position_in

Table = dict[bytes, bytes]


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

    def table(self, positions: Positions, interest: Interest) -> Table:
        """For each key of interest the last record below `positions`."""
        return _Replay(self, interest).table_at(positions)

    @property
    def end(self) -> Positions:
        return tuple(self.ends)


class _Replay:
    """The table of a log at one place after another; cheap where they ascend."""

    def __init__(self, log: Log, interest: Interest) -> None:
        self._log = log
        self._interest = interest
        self._begin()

    def _begin(self) -> None:
        self._table: Table = {}
        self._at: Positions = ()
        self._passed = [0] * len(self._log.partitions)

    def table_at(self, positions: Positions) -> Table:
        if not covers(positions, self._at):
            self._begin()
        self._at = positions
        for partition, records in enumerate(self._log.partitions):
            end = position_in(positions, partition)
            while self._passed[partition] < len(records) and records[self._passed[partition]].offset < end:
                record = records[self._passed[partition]]
                self._passed[partition] += 1
                if self._interest.matches(record.key):
                    _apply(self._table, record)
        return self._table


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
    told: dict[int, list[int]] = field(default_factory=dict)
    """Of each partition the offsets, in the order in which they came."""

    def __post_init__(self) -> None:
        self._replay = _Replay(self.log, self.interest)

    def begin(self, cursor: Positions) -> None:
        """Subscribe at a place, holding the table of that place."""
        self.cursor = self.start = cursor
        self.table = self.log.table(cursor, self.interest)
        self.live = self.lossless = True

    def turn_to(self, log: Log) -> None:
        """The topic was created again, which the client has just been told by a RESET: from here on this is its log."""
        assert not self.live
        self.log, self._replay = log, _Replay(log, self.interest)

    def see(self, update: Update) -> None:
        self._check_cursor(update)
        if update.kind in (Kind.RESET, Kind.CONFLATED):
            self.check_complete()
            self.live = self.lossless = False
        self.cursor = update.cursor.positions
        if update.kind is Kind.RESET:
            self.table, self.told = {}, {}
        elif update.kind is Kind.LIVE and not self.live:
            self.live = self.lossless = True
            self.start = self.cursor
        elif update.record is not None:
            self._see_record(update.kind, update.record)
        if self.live:
            self.check_table()

    def check_table(self) -> None:
        truth = self._replay.table_at(self.cursor)
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
            told = {(partition, offset) for partition, offsets in self.told.items() for offset in offsets}
            lost = [r for r in due if (r.partition, r.offset) not in told]
            if lost:
                raise ChangeLost(f"{lost[:3]} between {self.start} and {self.cursor}")

    def _see_record(self, kind: Kind, record: Record) -> None:
        assert not (kind is Kind.SNAPSHOT and self.live)
        expected = Kind.DELETE if record.value is None else Kind.SET
        assert kind in (Kind.SNAPSHOT, expected)
        assert self.interest.matches(record.key)
        told = self.told.setdefault(record.partition, [])
        if told and told[-1] >= record.offset:
            raise OrderViolated(f"{record} after {told}")
        told.append(record.offset)
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
