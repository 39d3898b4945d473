"""How many requests each client may make within a second."""

import time
from collections import Counter

from limits import RateLimitItemPerSecond
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from kvs_graphql.errors import LimitExceeded


class RequestRates:
    """Counts the requests of each client: of HTTP, and operations on a WebSocket."""

    def __init__(self, per_second_max: int) -> None:
        self._limit = RateLimitItemPerSecond(per_second_max)
        self._limiter = FixedWindowRateLimiter(_OneSecond())

    def check(self, client: str) -> None:
        """Count a request. Raises: LimitExceeded: It is one more than the client may make in this second."""
        if not self._limiter.hit(self._limit, client):
            setting, limit = "KVS_REQUESTS_PER_SECOND_MAX", self._limit.amount
            raise LimitExceeded.of(setting, limit, "requests within a second from this address")


class _OneSecond(Storage):
    """Counts within the current second, and forgets all before it at once.

    The storage in memory that the library has starts a thread, or looks at all of its keys, for almost each request.
    """

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._second = 0
        self._counts: Counter[str] = Counter()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and return the number within this second."""
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._counts = Counter()
        self._counts[key] += amount
        return self._counts[key]

    def get(self, key: str) -> int:
        """The number so far."""
        return self._counts[key]

    def get_expiry(self, key: str) -> float:
        """When the current second ends."""
        return self._second + 1

    def check(self) -> bool:
        """Whether it works."""
        return True

    def reset(self) -> None:
        """Forget everything."""
        self._counts.clear()

    def clear(self, key: str) -> None:
        """Forget a key."""
        del self._counts[key]
