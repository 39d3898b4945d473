"""The labels and units of the figures, and the aims of this project."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bench.measure import OURS, Row


@dataclass(frozen=True, slots=True)
class Figure:
    """How to show a figure; with `more_is_better` its ratio to the floor is a share, otherwise a multiple."""

    label: str
    digits: int = 0
    more_is_better: bool = False


FIGURES = {
    "requests_per_s": Figure("requests/s", more_is_better=True),
    "cpu_us_per_request": Figure("server CPU µs per request", 1),
    "renderings_per_update": Figure("renderings per update", 2),
    "deliveries_per_s": Figure("deliveries/s", more_is_better=True),
    "cpu_us_per_delivery": Figure("server CPU µs per delivery", 1),
    "records_per_s": Figure("records/s", more_is_better=True),
    "cpu_us_per_record": Figure("CPU µs per record", 1),
    "peak_rss_mib": Figure("peak RSS MiB"),
    "rss_before_mib": Figure("RSS before, MiB"),
    "rss_after_mib": Figure("RSS after, MiB"),
    "kib_per_subscription": Figure("RSS KiB each", 1),
    "answers_after_s": Figure("answers after s", 2),
    "ready_after_s": Figure("ready after s", 2),
    "acknowledged_p50_ms": Figure("record to acknowledgement, p50 ms", 2),
    "after_acknowledgement_ms": Figure("acknowledgement to subscriber, ms", 2),
    "undelivered_percent": Figure("undelivered %", 1),
    "p50_ms": Figure("p50 ms", 2),
    "p99_ms": Figure("p99 ms", 2),
}


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound on our ratio to the floor, or with `absolute` on our figure itself."""

    at_least: float | None = None
    at_most: float | None = None
    absolute: bool = False
    above: str = ""
    """The shape whose ratio, measured in the same run, is added to `at_most`."""

    def among(self, found: Iterable[Row], figure: str) -> "Aim | None":
        """Return the bound without `above`; None where that shape was not measured."""
        if not self.above:
            return self
        other = next((row for row in found if (row.shape, row.figure) == (self.above, figure)), None)
        if other is None or OURS not in other.ratios or self.at_most is None:
            return None
        return replace(self, at_most=self.at_most + other.ratios[OURS].median, above="")

    def met(self, row: Row) -> bool | None:
        """Tell whether the median of a row keeps the bound; None if it was not measured."""
        spread = (row.spreads if self.absolute else row.ratios).get(OURS)
        if spread is None:
            return None
        return (self.at_least is None or spread.median >= self.at_least) and (
            self.at_most is None or spread.median <= self.at_most
        )

    def text(self, figure: Figure) -> str:
        """Return the bound as text."""
        bounds = (("≥", self.at_least), ("≤", self.at_most))
        shown = (f"{sign} {self._number(bound, figure)}" for sign, bound in bounds if bound is not None)
        return ", ".join(shown)

    def _number(self, bound: float, figure: Figure) -> str:
        return f"{bound:,.0f}" if self.absolute else ratio(bound, figure)


AIMS = {
    ("one key", "requests_per_s"): Aim(at_least=0.45),
    ("100 keys", "requests_per_s"): Aim(at_least=0.55),
    ("a page of 1,000", "requests_per_s"): Aim(at_least=0.40),
    ("catch up, empty table", "records_per_s"): Aim(at_least=0.60),
    ("catch up, empty table", "peak_rss_mib"): Aim(at_most=300, absolute=True),
    ("catch up, empty table, all processors", "records_per_s"): Aim(at_least=140_000, absolute=True),
    ("catch up, far behind", "records_per_s"): Aim(at_least=0.60),
    ("catch up, far behind", "peak_rss_mib"): Aim(at_most=300, absolute=True),
    ("one key, 100/s, while catching up", "p99_ms"): Aim(at_most=25, absolute=True),
    ("live end, 20 records/s", "after_acknowledgement_ms"): Aim(at_most=5, absolute=True),
    ("restart", "answers_after_s"): Aim(at_most=1, absolute=True),
    ("restart", "ready_after_s"): Aim(at_most=2, absolute=True),
    ("idle subscriptions, 100 per WebSocket", "kib_per_subscription"): Aim(at_most=10, absolute=True),
    ("idle subscriptions, one per WebSocket", "kib_per_subscription"): Aim(at_most=30, absolute=True),
    ("1,000 subscribers, same keys, flat out", "cpu_us_per_delivery"): Aim(at_most=1.7),
    ("1,000 subscribers, same keys, half the floor's rate", "cpu_us_per_delivery"): Aim(at_most=1.7),
    ("1,000 subscribers, same keys, half the floor's rate", "undelivered_percent"): Aim(at_most=0, absolute=True),
    ("1,000 subscribers, same keys, half the floor's rate", "p99_ms"): Aim(at_most=2.0),
    ("1,000 subscribers over SSE, same keys, flat out", "cpu_us_per_delivery"): Aim(at_most=1.7),
    ("1,000 subscribers over SSE, same keys, half the floor's rate", "cpu_us_per_delivery"): Aim(at_most=1.7),
    ("1,000 subscribers, own keys, 10 updates/s each", "cpu_us_per_delivery"): Aim(at_most=2.5),
    ("100 subscribers, same keys, 50 updates/s", "p50_ms"): Aim(at_most=8, absolute=True),
    ("100 subscribers, same keys, 50 updates/s", "p99_ms"): Aim(at_most=20, absolute=True),
    ("one value, Avro", "cpu_us_per_request"): Aim(at_most=0.2, above="one value, text"),
    ("a page of 1,000, Avro", "cpu_us_per_request"): Aim(at_most=2.0),
    ("1,000 subscribers, same Avro keys, flat out", "cpu_us_per_delivery"): Aim(at_most=1.7),
    ("1,000 subscribers, same Avro keys, half the floor's rate", "cpu_us_per_delivery"): Aim(at_most=1.7),
    ("catch up, Avro", "cpu_us_per_record"): Aim(at_most=1.05),
    ("catch up, Debezium in Avro", "records_per_s"): Aim(at_least=0.70),
    ("one key, a JWT each", "cpu_us_per_request"): Aim(at_most=1.1),
    ("1,000 subscribers, a JWT each, same keys, flat out", "cpu_us_per_delivery"): Aim(at_most=1.05),
    ("1,000 subscribers, a JWT each, same keys, flat out", "renderings_per_update"): Aim(at_most=1, absolute=True),
    ("5,000 subscriptions, own keys, 1 update/s each", "p99_ms"): Aim(at_most=1_000, absolute=True),
    ("5,000 subscriptions, own keys, 1 update/s each", "undelivered_percent"): Aim(at_most=0, absolute=True),
}


def ratio(value: float, figure: Figure) -> str:
    """Return a ratio to the floor as text: a share such as `45 %`, or a multiple such as `1.7 ×`."""
    return f"{value:.0%}".replace("%", " %") if figure.more_is_better else f"{value:.2f} ×"


def share_percent(row: Row, subject: str) -> float | None:
    """Return how much of the floor's rate a subject reaches, or how much of its cost the floor needs, in percent."""
    found = row.ratios.get(subject)
    if found is None or not found.median:
        return None
    return 100 * (found.median if FIGURES[row.figure].more_is_better else 1 / found.median)
