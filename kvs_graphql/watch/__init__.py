"""Watches: where store and feed meet, from a cursor through the backlog to the live end, and back again."""

from kvs_graphql.watch.byte_budget import ByteBudget
from kvs_graphql.watch.quotas import Quotas, arguments_bytes
from kvs_graphql.watch.states import TRANSITIONS, Start, WatchLimits, WatchState
from kvs_graphql.watch.watch import Watch

__all__ = [
    "TRANSITIONS",
    "ByteBudget",
    "Quotas",
    "Start",
    "Watch",
    "WatchLimits",
    "WatchState",
    "arguments_bytes",
]
