"""What arrived at which subscription: counted, timed, and held against what was sent."""

from array import array
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bench.load.worker import percentiles_ms

_NOTHING = -1
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who subscribes to what: subscription s to the keys from first_key on (`same`), or to key first_key + s."""

    subscriptions: int
    first_key: int
    keys: int
    same: bool

    @property
    def places(self) -> int:
        """Pairs of a subscription and a key of it."""
        return self.subscriptions * self.keys if self.same else self.subscriptions

    def key_numbers(self, subscription: int) -> list[int]:
        """The keys of a subscription."""
        if self.same:
            return list(range(self.first_key, self.first_key + self.keys))
        return [self.first_key + subscription]


class Deliveries:
    """Of one run. Updates of a key are numbered from 0 on and come in order: a gap is a loss, a step back a repeat."""

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
        self._latest = array("q", [_NOTHING]) * wanted.places
        self._latencies: list[float] = []

    @property
    def complete(self) -> bool:
        return self.count >= self.expected

    def add(self, first_subscription: int, subscriptions: int, key_number: int, number: int, latency_us: int) -> None:
        """An update that came over a socket with those subscriptions."""
        wanted = self._wanted
        of_key = key_number - wanted.first_key
        if wanted.same:
            place = first_subscription * wanted.keys + of_key
        else:
            place = of_key
            self.strays += not first_subscription <= of_key < first_subscription + subscriptions
        step = number - self._latest[place]
        if step == 1:
            self._latest[place] = number
        elif step > 1:
            self.lost += step - 1
            self._latest[place] = number
        else:
            self.repeated += 1
            return
        self.count += 1
        self._latencies.append(latency_us / _US)
        self.last_at = perf_counter()
        if self.count == 1:
            self._first_at = self.last_at

    def seen(self) -> int:
        """How many subscriptions have had an update."""
        each = self._wanted.keys if self._wanted.same else 1
        latest = self._latest
        return sum(max(latest[place : place + each]) != _NOTHING for place in range(0, len(latest), each))

    def told(self) -> dict[str, Any]:
        """What came of it."""
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
