"""All attacks of all families."""

from tests.attacks import caches, requests, sockets, subscriptions
from tests.attacks.attack import ATTACKS, Attack

__all__ = ["ATTACKS", "Attack", "caches", "requests", "sockets", "subscriptions"]
