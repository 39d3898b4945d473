"""How much is measured: in the full run, in the short one, and in a comparison."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Plan:
    """Amounts; the shapes of load are the same in every plan."""

    rounds: int
    seconds: float
    """Length of one measurement of reads, of fan-out or of the live end."""
    keys: int
    """In the table that is read, and in the topic that is caught up with."""
    records: int
    """In the topic that is caught up with."""
    restart_keys: int
    """In the table that a process starts with."""
    thorough: bool
    """Whether to measure what takes longest too: 5,000 subscriptions, and the baseline where it is slow."""
    idle_subscriptions: int
    """At 100 a connection."""
    idle_sockets: int
    """With one subscription each."""
    stalled_updates: int
    """Sent while a client does not read."""


FULL = Plan(
    rounds=3,
    seconds=4.0,
    keys=100_000,
    records=1_000_000,
    restart_keys=1_000_000,
    thorough=True,
    idle_subscriptions=10_000,
    idle_sockets=2_000,
    stalled_updates=100_000,
)
SHORT = Plan(
    rounds=1,
    seconds=1.0,
    keys=20_000,
    records=200_000,
    restart_keys=100_000,
    thorough=False,
    idle_subscriptions=1_000,
    idle_sockets=300,
    stalled_updates=20_000,
)
COMPARISON = replace(FULL, rounds=10, seconds=1.5, records=300_000)
"""Each round is a pair of measurements."""
