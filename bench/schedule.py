"""When which key is updated: what a producer, or a bare application's own timer, goes by."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """So many updates, so many a tick; update number i is of key i modulo `keys`, counted from `first_key`."""

    run: int
    first_key: int
    keys: int
    updates: int
    updates_per_tick: int
    ticks_per_second: float

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return -(-self.updates // self.updates_per_tick) / self.ticks_per_second

    def ticks(self) -> Iterator[tuple[float, list[tuple[int, int]]]]:
        """The second of each tick, and its updates: key number, and the how-manieth of that key."""
        for tick, start in enumerate(range(0, self.updates, self.updates_per_tick)):
            numbers = range(start, min(start + self.updates_per_tick, self.updates))
            yield (
                tick / self.ticks_per_second,
                [(self.first_key + number % self.keys, number // self.keys) for number in numbers],
            )
