"""New generations of the schema: from the table that proposes one to whoever serves it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kvs_graphql.formats import TableFormats

Change = Callable[[TableFormats], TableFormats]
"""From a table's formats to those of the next generation."""


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """Other formats of one table."""

    table: str
    """Its name; empty for the only table of a service without a catalog."""
    change: Change
    accept: Callable[[], None]
    """Has the table use them from now on."""
    decided: asyncio.Future[str | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Why they cannot be served, in one line; None if they are."""

    def decide(self, reason: str | None) -> None:
        """Tell the table, unless it has gone."""
        if not self.decided.done():
            self.decided.set_result(reason)


class Generations:
    """Collects proposals. A table goes on once it is decided whether its own is served."""

    def __init__(self) -> None:
        self.served = 0
        """How many were, so far: one that could not be served may fit to those since."""
        self._proposed: list[Proposal] = []
        self._arrived = asyncio.Event()

    async def propose(self, table: str, change: Change, accept: Callable[[], None]) -> str | None:
        """Propose other formats of a table. Return why they cannot be served; None once they are."""
        proposal = Proposal(table, change, accept)
        self._proposed.append(proposal)
        self._arrived.set()
        return await proposal.decided

    async def next(self) -> Sequence[Proposal]:
        """Wait for proposals, and take all there are."""
        await self._arrived.wait()
        self._arrived.clear()
        proposed, self._proposed = self._proposed, []
        return proposed
