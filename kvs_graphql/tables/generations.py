"""New generations of the schema: from the table that has one to whoever serves it."""

import asyncio


class Generations:
    """Counts them. A table announces one, and goes on once it is served."""

    def __init__(self) -> None:
        self._announced = 0
        self._served = 0
        self._moved = asyncio.Condition()

    async def announce(self) -> None:
        """Announce a new generation; return once it is served."""
        async with self._moved:
            self._announced += 1
            number = self._announced
            self._moved.notify_all()
            await self._moved.wait_for(lambda: self._served >= number)

    async def next(self) -> int:
        """Wait for a generation that is not served yet; return its number."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._announced > self._served)
            return self._announced

    async def serve(self, number: int) -> None:
        """Note that this generation is served, with all before it."""
        async with self._moved:
            self._served = number
            self._moved.notify_all()
