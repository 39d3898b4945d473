"""Who asks, and what they may see. Pure.

Today everybody who reaches the service may read everything; `ANYONE` says so. What shares work between clients
(one execution for many subscribers) asks for the fingerprint, and never mixes two.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Access:
    """A principal. Two with the same fingerprint see the same."""

    principal: str

    @property
    def fingerprint(self) -> str:
        return self.principal


ANYONE = Access("anyone")
