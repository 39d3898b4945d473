"""Who asks, and what they may see. Pure.

What shares work between clients (one rendering for many subscribers, one read for many requests) is keyed by the
fingerprint, and never mixes two.
"""

from collections.abc import Hashable
from dataclasses import dataclass

Fingerprint = Hashable
"""Equal for two principals exactly where they see the same."""

EVERYTHING: Fingerprint = "everything"
"""Of those who may see all there is."""


@dataclass(frozen=True, slots=True)
class Access:
    """A principal."""

    principal: str
    fingerprint: Fingerprint = EVERYTHING
    expires_at: float | None = None
    """When it has to show a new token, in seconds since 1970; None for never."""


ANYONE = Access("anyone")
"""A client that nobody has asked who it is."""
