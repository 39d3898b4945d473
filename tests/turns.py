"""The turns of the event loop that operations take."""

import pytest

from kvs_graphql import budget
from kvs_graphql.turns import Turns


def turns_taken(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One of each turn that is taken from now on; a turn is over as soon as it began."""
    taken, take = list[None](), Turns.next

    async def counted(self: Turns) -> None:
        taken.append(None)
        await take(self)

    monkeypatch.setattr(Turns, "next", counted)
    monkeypatch.setattr(budget, "TURN_SECONDS", 0.0)
    return taken
