"""Who asks, and what they may see. Pure.

Today everybody who reaches the service may read everything: `ANYONE`. What shares work between clients (one rendering
for many subscribers, one read for many requests) is keyed by the fingerprint, and never mixes two.
"""

from collections.abc import Hashable
from dataclasses import dataclass

Fingerprint = Hashable
"""Equal for two principals exactly where they see the same."""


@dataclass(frozen=True, slots=True)
class Access:
    """A principal."""

    principal: str

    @property
    def fingerprint(self) -> Fingerprint:
        return self.principal


ANYONE = Access("anyone")
