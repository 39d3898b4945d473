"""Who asks, and what they may see. Pure.

Today everybody who reaches the service may read everything: `ANYONE`. What shares work between clients (one rendering
for many subscribers, one read for many requests) is keyed by the fingerprint, and never mixes two.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

Fingerprint = Hashable
"""Equal for two principals exactly where they see the same."""


@dataclass(frozen=True, slots=True)
class Access:
    """A principal."""

    principal: str
    # Read several times for each request: an attribute, not a property.
    fingerprint: Fingerprint = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", self.principal)


ANYONE = Access("anyone")
