"""The schedule of updates that a producer, or the timer of a bare application, follows."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """A number of updates in ticks; update i changes the key `first_key` + i modulo `keys`."""

    run: int
    first_key: int
    keys: int
    updates: int
    updates_per_tick: int
    ticks_per_second: float

    @property
    def seconds(self) -> float:
        """Length of the schedule."""
        return -(-self.updates // self.updates_per_tick) / self.ticks_per_second

    def ticks(self) -> Iterator[tuple[float, list[tuple[int, int]]]]:
        """Yield the second of each tick, and its updates: key number and sequence number within the key."""
        for tick, start in enumerate(range(0, self.updates, self.updates_per_tick)):
            numbers = range(start, min(start + self.updates_per_tick, self.updates))
            yield (
                tick / self.ticks_per_second,
                [(self.first_key + number % self.keys, number // self.keys) for number in numbers],
            )
