"""How much is measured: the full run and the short one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """How many of what; the shapes of load are the same in every plan."""

    rounds: int
    seconds: float
    """Of one measurement of reads or of fan-out."""
    keys: int
    """Of the table that is read, and of the topic that is caught up with."""
    records: int
    """Of the topic that is caught up with."""
    restart_keys: int
    """Of the table that a process starts with."""
    thorough: bool
    """Whether what takes longest is measured too: 5,000 subscriptions, and the baseline where it is slow."""
    idle_subscriptions: int
    """At 100 a socket."""
    idle_sockets: int
    """With one subscription each."""
    stalled_updates: int
    """That a client does not read."""


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
