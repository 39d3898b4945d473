"""How much is measured: the full run and the short one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Numbers of rounds, records, keys, subscribers, and the seconds that one measurement takes."""

    rounds: int
    seconds: float
    """Of one measurement of reads or of fan-out."""
    keys: int
    """Of the table that is read, and of the topic that is caught up with."""


FULL = Plan(rounds=3, seconds=4.0, keys=100_000)
SHORT = Plan(rounds=1, seconds=1.0, keys=20_000)
