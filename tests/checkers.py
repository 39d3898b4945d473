"""What a subscriber may and may not see. Each broken promise has a named error, in simulations and in real runs."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from kvs_graphql.feed import Kind, Update
from kvs_graphql.records import Interest, Positions, Record, covers, position_in

Table = dict[bytes, bytes]


class OrderViolated(AssertionError):
    """A partition's changes came out of order, or one came twice."""


class ChangeLost(AssertionError):
    """A change that was due was never delivered."""


class TableDiffers(AssertionError):
    """The client does not hold the table at its cursor."""


class KindWrong(AssertionError):
    """An update has another kind than its record and the state of the subscription require."""


class Uninvited(AssertionError):
    """A change was delivered that the client did not subscribe to."""


class CursorWentBack(AssertionError):
    """A cursor is behind an earlier one, or not just after its record."""


@dataclass
class Log:
    """A topic: the records of each partition, with gaps where compaction or transaction markers leave some."""

    partitions: list[list[Record]]
    ends: list[int]
    superseded: set[tuple[int, int]] = field(default_factory=set)
    """Partition and offset of the records that compaction removed for a later record of their key."""
    forgotten: set[tuple[int, int]] = field(default_factory=set)
    """Partition and offset of the tombstones that compaction removed."""

    def table(self, positions: Positions, interest: Interest = Interest()) -> Table:  # noqa: B008 - immutable
        """Return the last value of each key of interest below `positions`."""
        return _Replay(self, interest).table_at(positions)

    @property
    def end(self) -> Positions:
        return tuple(self.ends)


class _Replay:
    """The table of a log at one position after another. Cheap as long as they ascend."""

    def __init__(self, log: Log, interest: Interest) -> None:
        self._log = log
        self._interest = interest
        self._restart()

    def _restart(self) -> None:
        self._table: Table = {}
        self._last: dict[bytes, tuple[int, int]] = {}
        self._at: Positions = ()
        self._passed = [0] * len(self._log.partitions)

    def table_at(self, positions: Positions) -> Table:
        if not covers(positions, self._at):
            self._restart()
        self._at = positions
        for partition, records in enumerate(self._log.partitions):
            end = position_in(positions, partition)
            while self._passed[partition] < len(records) and records[self._passed[partition]].offset < end:
                record = records[self._passed[partition]]
                self._passed[partition] += 1
                if self._interest.matches(record.key):
                    _apply(self._table, record)
                    self._last[record.key] = record.partition, record.offset
        return self._table

    def is_superseded(self, key: bytes) -> bool:
        """Whether compaction removed the last record of a key below the last position asked for.

        A reader that comes later learns of the key only by its next record.
        """
        return self._last.get(key) in self._log.superseded


@dataclass
class ClientView:
    """What a client builds from its updates, over all resumptions of its subscription, checked against the log."""

    log: Log
    interest: Interest
    table: Table = field(default_factory=dict)
    cursor: Positions = ()
    live: bool = False
    lossless: bool = False
    """Whether every change since `start` is due, not only the last of each key."""
    start: Positions = ()
    delivered: dict[int, list[int]] = field(default_factory=dict)
    """The offsets delivered of each partition, in order of delivery."""

    def __post_init__(self) -> None:
        self._replay = _Replay(self.log, self.interest)

    def begin(self, cursor: Positions) -> None:
        """Subscribe at a cursor, holding the table at that cursor."""
        self.cursor = self.start = cursor
        self.table = self.log.table(cursor, self.interest)
        self.live = self.lossless = True

    def switch_to(self, log: Log) -> None:
        """Check against the log of a recreated topic from now on; a RESET was delivered just before."""
        assert not self.live
        self.log, self._replay = log, _Replay(log, self.interest)

    def copy_for(self, log: Log) -> "ClientView":
        """Return this view as it is by another log, which has everything that was seen."""
        delivered = {partition: list(offsets) for partition, offsets in self.delivered.items()}
        return replace(self, log=log, table=dict(self.table), delivered=delivered)

    def see(self, update: Update) -> None:
        """Apply the next update, and check it."""
        self._check_cursor(update)
        if update.kind in (Kind.RESET, Kind.CONFLATED):
            self.check_complete()
            self.live = self.lossless = False
        self.cursor = update.cursor.positions
        if update.kind is Kind.RESET:
            self.table, self.delivered = {}, {}
        elif update.kind is Kind.LIVE and not self.live:
            self.live = self.lossless = True
            self.start = self.cursor
        elif update.record is not None:
            self._see_record(update.kind, update.record)
        if self.live:
            self.check_table()

    def check_table(self) -> None:
        """Check that the client holds the table at its cursor."""
        truth = self._replay.table_at(self.cursor)
        if self.table != truth and (difference := _difference(self.table, truth, self._replay)):
            raise TableDiffers(f"at {self.cursor}: {difference}")

    def check_complete(self) -> None:
        """Check that every change since the start was delivered, if none may be left out."""
        if self.lossless:
            due = [
                r
                for records in self.log.partitions
                for r in records
                if position_in(self.start, r.partition) <= r.offset < position_in(self.cursor, r.partition)
                and (r.partition, r.offset) not in self.log.superseded | self.log.forgotten
                and self.interest.matches(r.key)
            ]
            delivered = {(partition, offset) for partition, offsets in self.delivered.items() for offset in offsets}
            lost = [r for r in due if (r.partition, r.offset) not in delivered]
            if lost:
                raise ChangeLost(f"{lost[:3]} between {self.start} and {self.cursor}")

    def _see_record(self, kind: Kind, record: Record) -> None:
        expected = Kind.DELETE if record.is_tombstone else Kind.SET
        if kind is not expected and (kind is not Kind.SNAPSHOT or record.is_tombstone or self.live):
            raise KindWrong(f"{kind} of {record}")
        if not self.interest.matches(record.key):
            raise Uninvited(f"{record} does not match {self.interest}")
        delivered = self.delivered.setdefault(record.partition, [])
        if delivered and delivered[-1] >= record.offset:
            raise OrderViolated(f"{record} after {delivered}")
        delivered.append(record.offset)
        _apply(self.table, record)

    def _check_cursor(self, update: Update) -> None:
        if update.kind is Kind.RESET:
            return
        reached = update.cursor.positions
        if any(position_in(reached, p) < offset for p, offset in enumerate(self.cursor)):
            raise CursorWentBack(f"{self.cursor}, then {reached} ({update})")
        if update.record is not None and position_in(reached, update.record.partition) != update.record.offset + 1:
            raise CursorWentBack(f"{reached} is not just after {update.record}")


def _apply(table: Table, record: Record) -> None:
    if record.value is None:
        table.pop(record.key, None)
    else:
        table[record.key] = record.value


def _difference(held: Table, truth: Table, replay: _Replay) -> str:
    keys: Iterable[bytes] = sorted(
        key for key in {*held, *truth} if held.get(key) != truth.get(key) and not replay.is_superseded(key)
    )
    return ", ".join(f"{key!r} is {held.get(key)!r}, should be {truth.get(key)!r}" for key in keys)
