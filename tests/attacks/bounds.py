"""What attacks may do to a service: the bounds, and the judgement of an attack's figures."""

from dataclasses import dataclass
from math import inf

from tests.attacks.tally import Tally

CONNECTION_MIB = 96 / 1024
"""What a connection may cost: the bytes that its client does not read (KVS_SEND_BUFFER_BYTES_MAX), and its state."""
KEPT_MIB_MAX = 64
"""Memory that counts as released: allocators return it late."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much longer than the control the canary may wait, and how much memory an attack may cost."""

    p99_ms: float
    worst_ms: float
    memory_mib: float


ALONE = Bounds(p99_ms=100, worst_ms=500, memory_mib=256)
TOGETHER = Bounds(p99_ms=250, worst_ms=inf, memory_mib=512)


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of one server's answers to the canary."""

    p99_ms: float
    worst_ms: float
    failed: int = 0
    """Requests without the right answer."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured during one attack, and for some seconds after it."""

    family: str
    name: str
    canary: Latencies
    control: Latencies
    updates: Latencies
    memory_mib: float
    """The most resident memory of the service, above that before the attack."""
    after_mib: float
    """The same, a while after the attack."""
    reused: bool
    """Whether a repetition found the memory that the attack left behind."""
    cpu: float
    """The service's processor time during the attack, in processors."""
    starved: float
    """The part of the time in which its event loop had work that it waited for a processor: the machine's fault."""
    tally: Tally
    alive: bool
    """Whether the service was ready after the attack."""


def broken(figures: Figures, bounds: Bounds) -> list[str]:
    """Return the names of the bounds that an attack broke. What the machine delays, it delays for the control, too."""
    allowed_mib = bounds.memory_mib + figures.tally.open_max * CONNECTION_MIB
    judged = {
        "p99": figures.canary.p99_ms - figures.control.p99_ms > bounds.p99_ms,
        "worst": figures.canary.worst_ms - figures.control.worst_ms > bounds.worst_ms,
        "failed": figures.canary.failed > figures.control.failed,
        "memory": figures.memory_mib > allowed_mib,
        "kept": figures.after_mib > KEPT_MIB_MAX and not figures.reused,
        "not ready": not figures.alive,
        "not attacked": not figures.tally.sent or not figures.tally.opened,
    }
    return [name for name, is_broken in judged.items() if is_broken]


def best(rounds: list[Figures], bounds: Bounds) -> Figures:
    """Return the round that broke the fewest bounds, and of those the one with the least delay."""
    return min(rounds, key=lambda figures: (len(broken(figures, bounds)), figures.canary.worst_ms))
