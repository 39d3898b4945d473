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
    many_subscriptions: bool
    """Whether 5,000 subscriptions are measured too."""


FULL = Plan(rounds=3, seconds=4.0, keys=100_000, many_subscriptions=True)
SHORT = Plan(rounds=1, seconds=1.0, keys=20_000, many_subscriptions=False)
