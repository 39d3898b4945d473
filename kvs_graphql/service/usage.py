"""What one request reads, over all tables together."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Room(Protocol):
    """Where an operation gets the room of a large one."""

    async def enlarge(self) -> None:
        """Return once there is some."""
        ...

    def waiting(self) -> AbstractContextManager[None]:
        """Give it back for as long as the operation waits for what others do."""
        ...


class Usage:
    """Counts what the reads of one request take.

    There is one for each query: it must cost little, so what it begins with stands in the class.
    """

    keys = 0
    """How many keys were asked for."""
    records = 0
    """How many records were read."""
    size_bytes = 0
    """About how many bytes these have at most, each counted as often as it was asked for."""
    counted = 0
    """How many entries were only counted."""
    is_large = False
    """Whether there was room for a large read."""
    _turn: asyncio.Lock | None = None

    def __init__(self, room: Room | None = None) -> None:
        """Without `room`, the reads must be small."""
        self._room = room

    @property
    def turn(self) -> asyncio.Lock:
        """Held by a read that may take all that is left."""
        if self._turn is None:
            self._turn = asyncio.Lock()
        return self._turn

    async def enlarge(self) -> None:
        """Return once there is room for a large read."""
        assert self._room is not None
        await self._room.enlarge()
        self.is_large = True

    def waiting(self) -> AbstractContextManager[None]:
        """Held while the request waits for a cursor."""
        return nullcontext() if self._room is None else self._room.waiting()
