"""What all watches and live queries of a table share."""

import asyncio

from kvs_graphql.cursor import Cursor
from kvs_graphql.records import Interest
from kvs_graphql.turns import Turns
from kvs_graphql.watch.byte_budget import ByteBudget
from kvs_graphql.watch.pages import PagesInHand
from kvs_graphql.watch.states import WatchLimits

TURNS_PER_ROUND = 4
UPDATES_PER_TURN = 50
"""Updates delivered in one turn: half a millisecond's worth."""
BYTES_PER_TURN = 256 * 1024
"""A turn ends after the update that brings it to so many bytes."""

# What they take in memory beside their bytes: in the interest itself, and in the feed's index.
_BYTES_PER_KEY = 500
_BYTES_PER_PREFIX = 1_000
_BYTES_PER_POSITION = 40


class Quotas:
    """Memory, reads and time on the event loop, over all of them."""

    def __init__(self, limits: WatchLimits) -> None:
        self.limits = limits
        self.arguments = ByteBudget(
            limits.arguments_bytes_max,
            "KVS_SUBSCRIPTION_ARGUMENTS_BYTES_MAX",
            "bytes that open subscriptions keep of their requests",
        )
        self.pages = PagesInHand(limits.pages_bytes_max, limits.page_bytes_max)
        self.reads = asyncio.Semaphore(limits.reads_max)
        """Held while reading: the other connections are left to queries. First come, first served."""
        self.turns = Turns(TURNS_PER_ROUND)

    @property
    def page_max(self) -> int:
        """How many updates are read or taken at once."""
        return min(self.limits.page_max, self.pages.page_items)


def arguments_bytes(interest: Interest, after: Cursor | None = None) -> int:
    """What the arguments of a subscription take in memory."""
    size = 0
    if interest.keys is not None:
        size += sum(map(len, interest.keys)) + _BYTES_PER_KEY * len(interest.keys)
    for prefix in interest.prefixes:
        size += 2 * len(prefix) + _BYTES_PER_PREFIX
    if after is not None:
        size += _BYTES_PER_POSITION * (len(after.positions) + len(after.pending))
    return size
