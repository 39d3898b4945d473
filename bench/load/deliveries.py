"""The deliveries of one run: counted, timed, and compared with what was sent."""

from array import array
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bench.load.worker import percentiles_ms

_NOTHING = -1
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Subscriptions and their keys: with `same`, all `keys` from `first_key` on; otherwise subscription s has s."""

    subscriptions: int
    first_key: int
    keys: int
    same: bool

    @property
    def pairs(self) -> int:
        """The number of pairs of a subscription and one of its keys."""
        return self.subscriptions * self.keys if self.same else self.subscriptions

    def key_numbers(self, subscription: int) -> list[int]:
        """Return the keys of a subscription."""
        if self.same:
            return list(range(self.first_key, self.first_key + self.keys))
        return [self.first_key + subscription]


class Deliveries:
    """The deliveries of one run.

    The updates of a key are numbered from 0 and arrive in order: a gap is a loss, a step back is a repeat.
    """

    def __init__(self, wanted: Wanted, run: int, expected: int) -> None:
        self.run = run
        self.expected = expected
        self.count = 0
        self.strays = 0
        self.lost = 0
        self.repeated = 0
        self.last_at = perf_counter()
        self._wanted = wanted
        self._first_at = 0.0
        self._latest = array("q", [_NOTHING]) * wanted.pairs
        self._latencies: list[float] = []

    @property
    def complete(self) -> bool:
        return self.count >= self.expected

    def add(self, first_subscription: int, subscriptions: int, key_number: int, number: int, latency_us: int) -> None:
        """Count an update that arrived over a connection with these subscriptions."""
        wanted = self._wanted
        key_index = key_number - wanted.first_key
        if wanted.same:
            pair = first_subscription * wanted.keys + key_index
        else:
            pair = key_index
            self.strays += not first_subscription <= key_index < first_subscription + subscriptions
        step = number - self._latest[pair]
        if step < 1:
            self.repeated += 1
            return
        self.lost += step - 1
        self._latest[pair] = number
        self.count += 1
        self._latencies.append(latency_us / _US)
        self.last_at = perf_counter()
        if self.count == 1:
            self._first_at = self.last_at

    def updated_subscriptions(self) -> int:
        """Return how many subscriptions have received an update."""
        keys = self._wanted.keys if self._wanted.same else 1
        latest = self._latest
        return sum(max(latest[pair : pair + keys]) != _NOTHING for pair in range(0, len(latest), keys))

    def summary(self) -> dict[str, Any]:
        """Return the counts, the rate's duration and the latencies."""
        return {
            "deliveries": self.count,
            "missing": self.expected - self.count,
            "lost": self.lost,
            "repeated": self.repeated,
            "strays": self.strays,
            "least_latest": min(self._latest),
            "seconds": self.last_at - self._first_at,
            **percentiles_ms(self._latencies),
        }
