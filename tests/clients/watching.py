"""Resumable subscriptions of the real clients, and what they have received."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.clients.node import Node, NodeSubscription

WATCH = """
subscription Watch($prefix: String, $keys: [String!], $after: Cursor, $snapshot: Boolean! = false) {
  updates(prefix: $prefix, keys: $keys, after: $after, snapshot: $snapshot, progress: true) {
    kind key cursor entry { value }
  }
}
"""


class Received:
    """What a resumable subscription has received so far."""

    def __init__(self, subscription: NodeSubscription) -> None:
        self._subscription = subscription
        self.states: list[str] = []
        self.updates: list[dict[str, Any]] = []

    @property
    def kinds(self) -> set[str]:
        return {update["kind"] for update in self.updates}

    @property
    def numbers(self) -> list[int]:
        return [int(update["entry"]["value"]) for update in self.updates if update["entry"]]

    async def until_is(self, state: str) -> None:
        while self.states[-1:] != [state]:
            await self._take()

    async def until_has(self, changes: int) -> None:
        """Wait until this many changes have arrived in total."""
        while len(self.numbers) < changes:
            await self._take()

    async def until_kind(self, kind: str) -> None:
        while kind not in self.kinds:
            await self._take()

    async def _take(self) -> None:
        event = await self._subscription.event()
        if event.name == "state":
            self.states.append(event.payload)
        else:
            assert event.name == "next", event
            self.updates.append(event.payload["data"]["updates"])


@asynccontextmanager
async def watching(node: Node, kind: str, url: str, prefix: str, **options: Any) -> AsyncIterator[Received]:
    """Open a resumable subscription with a snapshot, by a client with these options."""
    async with (
        node.client(kind, url, **options) as client,
        client.subscribed(WATCH, resumable=True, prefix=prefix, snapshot=True) as subscription,
    ):
        yield Received(subscription)
