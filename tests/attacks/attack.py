"""The list of attacks."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tests.attacks.tally import Tally
from tests.attacks.target import Target

Work = Callable[[Target], Coroutine[Any, Any, None]]

ATTACKS: dict[str, "Attack"] = {}
"""All attacks by name; the modules of the families add theirs when they are imported."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack. It goes on until it has done all it means to do, or until its time is over."""

    family: str
    """The name of its module."""
    name: str
    work: Work
    refusal: str
    """An outcome that shows that the service refused it; empty if nothing of it is refused."""
    silent: bool
    """Whether the service may leave it without any answer."""
    holds: bool
    """Whether it has many connections to open before it does what it means to do: `Target.hold`."""
    descriptors: int | None
    """The service's limit of file descriptors; None for that of this process."""

    def noticed(self, tally: Tally) -> bool:
        """Whether the attack has been carried out, and the service has answered as it should."""
        if not (tally.sent and tally.opened):
            return False
        if self.holds:
            return tally.held
        if self.refusal:
            return tally.outcomes[self.refusal] > 0
        return self.silent or bool(tally.outcomes)


def attack(
    *,
    refusal: str = "",
    silent: bool = False,
    holds: bool = False,
    descriptors: int | None = None,
) -> Callable[[Work], Work]:
    """Add a function to the attacks, named as it is, with hyphens."""

    def add(work: Work) -> Work:
        name = work.__name__.replace("_", "-")
        family = work.__module__.rpartition(".")[2]
        assert name not in ATTACKS, f"two attacks are named {name}"
        ATTACKS[name] = Attack(family, name, work, refusal, silent, holds, descriptors)
        return work

    return add
