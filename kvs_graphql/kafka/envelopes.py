"""Envelopes around values: records that say of a row what happened to it, of which some delete it."""

from collections.abc import Iterable
from typing import Protocol


class Envelopes(Protocol):
    """The envelopes of one table."""

    async def known(self, values: Iterable[bytes | None]) -> None:
        """Return once whatever is needed to read these envelopes is there, however long that takes."""
        ...

    def is_delete(self, value: bytes) -> bool:
        """Whether a value is an envelope that says that its row was deleted."""
        ...
