"""Fan-out: many subscribers to few keys, many subscribers with a key each, few updates and many updates."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from bench.environment import Environment, say, wait_until_applied, wait_until_listening, wait_until_ready
from bench.failures import record_failures
from bench.load.deliveries import Wanted
from bench.load.transports import BARE_WEBSOCKET, SSE, WEBSOCKET
from bench.measure import BASELINE, FLOOR, OURS, SIDES, Measurement, bottleneck, shares, slices, turns
from bench.plan import Plan
from bench.processes import ProcessFailed, Server
from bench.sources import BareSource, KafkaSource, Source, kafka_source
from bench.subscriptions import Subscriptions, open_subscriptions, wait_until_idle

FLAT_OUT = "1,000 subscribers, same keys, flat out"
HALF_RATE = "1,000 subscribers, same keys, half the floor's rate"
SSE_FLAT_OUT = "1,000 subscribers over SSE, same keys, flat out"
SSE_HALF_RATE = "1,000 subscribers over SSE, same keys, half the floor's rate"
OWN_KEYS = "1,000 subscribers, own keys, 10 updates/s each"
HUNDRED = "100 subscribers, same keys, 50 updates/s"
MANY = "5,000 subscriptions, own keys, 1 update/s each"

_KEYS = 10
_SUBSCRIBERS = 1_000
_MANY_SUBSCRIPTIONS = 5_000
_PROBE_UPDATES = 4
# Faster than any server sends, so that all updates wait for it.
AT_ONCE_TICKS_PER_SECOND = 1_000.0
_US = 1_000_000
# Of each side in a pair.
SLICES = 6

SAME = Wanted(_SUBSCRIBERS, 0, _KEYS, same=True)
SAME_HUNDRED = Wanted(100, 0, _KEYS, same=True)
OWN = Wanted(_SUBSCRIBERS, 0, 1, same=False)
MANY_OWN = Wanted(_MANY_SUBSCRIPTIONS, 0, 1, same=False)

_BOTH = "both sides"
_SUMMED = (
    "wall_seconds",
    "server_cpu_seconds",
    "load_cpu_seconds",
    "seconds",
    "deliveries",
    "missing",
    "lost",
    "repeated",
    "strays",
)
# The floor of both transports is the bare WebSocket send.
_SSE_SHAPES = {FLAT_OUT: SSE_FLAT_OUT, HALF_RATE: SSE_HALF_RATE}


@dataclass(frozen=True, slots=True)
class Subject:
    """A server, the source of its updates, and what its subscribers say."""

    name: str
    server: Server
    source: Source
    is_bare: bool = False
    """Whether it speaks the protocol of the bare application."""
    document: str = ""
    """Empty for the ordinary subscription."""
    tokens: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SameKeys:
    """The two shapes of one transport with the same keys for all."""

    transport: str
    flat_out: str
    half_rate: str


@dataclass(frozen=True, slots=True)
class Paced:
    """A shape with a fixed pace."""

    shape: str
    wanted: Wanted
    per_connection: int
    updates_per_tick: int
    ticks_per_second: float

    def updates(self, seconds: float) -> int:
        """Return the number of updates in this time, in whole ticks."""
        return max(1, int(seconds * self.ticks_per_second)) * self.updates_per_tick


_SAME_KEYS = (SameKeys(WEBSOCKET, FLAT_OUT, HALF_RATE), SameKeys(SSE, SSE_FLAT_OUT, SSE_HALF_RATE))
_PACED = (
    Paced(OWN_KEYS, OWN, 1, _SUBSCRIBERS, 10.0),
    Paced(HUNDRED, SAME_HUNDRED, 1, 1, 50.0),
    Paced(MANY, MANY_OWN, 100, _MANY_SUBSCRIPTIONS // 100, 100.0),
)


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure every shape of the floor, ours and the baseline in turn."""
    with ExitStack() as stack:
        subjects = _start(environment, plan, stack)
        for number in range(1, plan.rounds + 1):
            yield from _round(subjects, number, plan)


def compare(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure every shape of both sides in alternating slices, with new processes for each pair.

    The floor is measured once; it sets the pace of every half-rate shape.
    """
    with ExitStack() as stack:
        topics = {side: environment.topic(f"fanout-{side}", plan.keys, plan.keys) for side in SIDES}
        sources = {side: _source(environment, topics[side], stack) for side in SIDES}
        databases = {side: environment.fresh("fanout") / "kvs.db" for side in SIDES}
        floor_rate = 0.0
        for number in range(1, plan.rounds + 1):
            with ExitStack() as servers:
                sides: dict[str, Subject] = {}
                for side in turns(number):
                    server = servers.enter_context(environment.service(topics[side], databases[side], subject=side))
                    wait_until_ready(server)
                    sides[side] = Subject(side, server, sources[side])
                floor_rate = floor_rate or _floor_rate(environment, sides[OURS], plan)
                for shapes in _SAME_KEYS:
                    pair = _same_keys_pair(sides, shapes, number, plan, floor_rate)
                    yield from record_failures(shapes.flat_out, _BOTH, number, pair)
                for paced in _PACED:
                    yield from record_failures(paced.shape, _BOTH, number, _paced_pair(sides, paced, number, plan))


def _round(subjects: list[Subject], number: int, plan: Plan) -> Iterator[Measurement]:
    """Measure every shape of every subject; the floor comes first and sets the pace of the others."""
    over_websocket, over_sse = _SAME_KEYS
    floor_rate = 0.0
    for subject in subjects:
        found = measure_same_keys(subject, over_websocket, number, plan, floor_rate)
        for measured in record_failures(FLAT_OUT, subject.name, number, found):
            yield measured
            if measured.subject == FLOOR:
                floor_rate = measured.figures.get("deliveries_per_s", floor_rate)
                yield replace(measured, shape=_SSE_SHAPES[measured.shape])
        if subject.name == OURS:
            found = measure_same_keys(subject, over_sse, number, plan, floor_rate)
            yield from record_failures(SSE_FLAT_OUT, subject.name, number, found)
    for paced in _PACED:
        for subject in subjects:
            slow = paced.shape == MANY or (paced.shape == OWN_KEYS and subject.name == BASELINE)
            if plan.thorough or not slow:
                yield from record_failures(paced.shape, subject.name, number, _paced(subject, paced, number, plan))


def _start(environment: Environment, plan: Plan, stack: ExitStack) -> list[Subject]:
    """Start the three subjects. Ours and the baseline have a topic each, so that one is idle while the other works."""
    topics = {name: environment.topic(f"fanout-{name}", plan.keys, plan.keys) for name in (OURS, BASELINE)}
    sources = {name: _source(environment, topic, stack) for name, topic in topics.items()}
    service = stack.enter_context(environment.service(topics[OURS], environment.fresh("fanout") / "kvs.db"))
    wait_until_ready(service)
    ours = Subject(OURS, service, sources[OURS])
    database = environment.fresh("fanout") / "baseline.db"
    baseline = stack.enter_context(environment.baseline(topics[BASELINE], database))
    wait_until_applied(baseline, plan.keys)
    floor = stack.enter_context(bare_floor(environment, ours))
    return [floor, ours, Subject(BASELINE, baseline, sources[BASELINE])]


def _source(environment: Environment, topic: str, stack: ExitStack) -> KafkaSource:
    return stack.enter_context(kafka_source(environment.broker.bootstrap_servers, topic))


@contextmanager
def bare_floor(environment: Environment, service: Subject) -> Iterator[Subject]:
    """Start the bare application, whose messages are as long as those of the service."""
    with subscribed(service, Wanted(1, 0, _KEYS, same=True)) as subscriptions:
        payload_bytes = subscriptions.run(1, 1, 1.0)["payload_bytes"]
    with environment.floor("sends", payload_bytes=payload_bytes) as server:
        wait_until_listening(server)
        yield Subject(FLOOR, server, BareSource(server), is_bare=True)


def _floor_rate(environment: Environment, service: Subject, plan: Plan) -> float:
    """Return the floor's deliveries a second, flat out."""
    with bare_floor(environment, service) as floor, subscribed(floor, SAME) as subscriptions:
        say(f"{FLAT_OUT}, floor")
        updates = updates_at_once(subscriptions, plan.seconds)
        wait_until_idle(floor.server)
        return _rate(subscriptions.run(updates, 1, AT_ONCE_TICKS_PER_SECOND))


def measure_same_keys(
    subject: Subject, shapes: SameKeys, number: int, plan: Plan, floor_rate: float
) -> Iterator[Measurement]:
    with subscribed(subject, SAME, shapes.transport) as subscriptions:
        say(f"round {number}: {shapes.flat_out}, {subject.name}")
        updates = updates_at_once(subscriptions, plan.seconds)
        wait_until_idle(subject.server)
        flat_out = subscriptions.run(updates, 1, AT_ONCE_TICKS_PER_SECOND)
        yield measurement_of(shapes.flat_out, subject.name, number, flat_out, flat_out_figures(flat_out))
        if subject.name == BASELINE and not plan.thorough:
            return
        say(f"round {number}: {shapes.half_rate}, {subject.name}")
        wait_until_idle(subject.server)
        updates_per_second = (floor_rate or _rate(flat_out)) / 2 / _SUBSCRIBERS
        half = subscriptions.run(max(1, int(updates_per_second * plan.seconds)), 1, updates_per_second)
        yield measurement_of(shapes.half_rate, subject.name, number, half, _paced_figures(half))


def _paced(subject: Subject, paced: Paced, number: int, plan: Plan) -> Iterator[Measurement]:
    say(f"round {number}: {paced.shape}, {subject.name}")
    with subscribed(subject, paced.wanted, per_connection=paced.per_connection) as subscriptions:
        received = subscriptions.run(paced.updates(plan.seconds), paced.updates_per_tick, paced.ticks_per_second)
        yield measurement_of(paced.shape, subject.name, number, received, _paced_figures(received))


def _same_keys_pair(
    sides: Mapping[str, Subject], shapes: SameKeys, number: int, plan: Plan, floor_rate: float
) -> Iterator[Measurement]:
    say(f"pair {number}: {shapes.flat_out}")
    seconds = plan.seconds / SLICES
    with ExitStack() as stack:
        opened = {name: stack.enter_context(subscribed(side, SAME, shapes.transport)) for name, side in sides.items()}
        # Both sides get the same work, however fast each is.
        updates = min(updates_at_once(subscriptions, seconds) for subscriptions in opened.values())
        for side, received in run_slices(opened, number, updates, 1, AT_ONCE_TICKS_PER_SECOND):
            yield measurement_of(shapes.flat_out, side, number, received, flat_out_figures(received))
        say(f"pair {number}: {shapes.half_rate}")
        updates_per_second = floor_rate / 2 / _SUBSCRIBERS
        updates = max(1, int(updates_per_second * seconds))
        for side, received in run_slices(opened, number, updates, 1, updates_per_second):
            yield measurement_of(shapes.half_rate, side, number, received, _paced_figures(received))


def _paced_pair(sides: Mapping[str, Subject], paced: Paced, number: int, plan: Plan) -> Iterator[Measurement]:
    say(f"pair {number}: {paced.shape}")
    updates = paced.updates(plan.seconds / SLICES)
    with ExitStack() as stack:
        opened = {
            name: stack.enter_context(subscribed(side, paced.wanted, per_connection=paced.per_connection))
            for name, side in sides.items()
        }
        for side, received in run_slices(opened, number, updates, paced.updates_per_tick, paced.ticks_per_second):
            yield measurement_of(paced.shape, side, number, received, _paced_figures(received))


def run_slices(
    opened: Mapping[str, Subscriptions], number: int, updates: int, updates_per_tick: int, ticks_per_second: float
) -> list[tuple[str, dict[str, Any]]]:
    """Run this many updates a slice on both sides in turn; return what each side received in all."""
    received: dict[str, list[dict[str, Any]]] = {side: [] for side in opened}
    for side in slices(number, SLICES, tuple(sorted(opened))):
        received[side].append(opened[side].run(updates, updates_per_tick, ticks_per_second))
    return [(side, _merged(of_side)) for side, of_side in received.items()]


def _merged(received: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums of several slices, and the medians of their latencies."""
    merged: dict[str, Any] = {name: sum(one[name] for one in received) for name in _SUMMED}
    merged["late"] = any(one["late"] for one in received)
    for name in ("p50_ms", "p99_ms"):
        if latencies := [one[name] for one in received if name in one]:
            merged[name] = median(latencies)
    return merged


def updates_at_once(subscriptions: Subscriptions, seconds: float) -> int:
    """Return the number of updates that a server takes about this long to send to all."""
    probed = subscriptions.run(_PROBE_UPDATES, _PROBE_UPDATES, 1.0)
    return max(_PROBE_UPDATES, int(_rate(probed) * seconds / _SUBSCRIBERS))


@contextmanager
def subscribed(
    subject: Subject, wanted: Wanted, transport: str = WEBSOCKET, per_connection: int = 1
) -> Iterator[Subscriptions]:
    """Open subscriptions that receive updates, at a server that is idle."""
    with open_subscriptions(
        subject.server,
        subject.source,
        wanted,
        transport=BARE_WEBSOCKET if subject.is_bare else transport,
        per_connection=per_connection,
        document=subject.document,
        tokens=subject.tokens,
    ) as subscriptions:
        subscriptions.warm_up()
        wait_until_idle(subject.server)
        yield subscriptions


def measurement_of(
    shape: str, subject: str, number: int, received: Mapping[str, Any], figures: dict[str, float]
) -> Measurement:
    used = {name: received[name] for name in ("wall_seconds", "server_cpu_seconds", "load_cpu_seconds")}
    odd = [f"{received[name]:,} {name}" for name in ("lost", "repeated", "strays") if received[name]]
    late = ["the producer was late"] if received["late"] else []
    return Measurement(shape, subject, number, {**figures, **shares(**used)}, (*bottleneck(**used), *odd, *late))


def flat_out_figures(received: Mapping[str, Any]) -> dict[str, float]:
    return {"deliveries_per_s": _rate(received), "cpu_us_per_delivery": _cpu_us(received)}


def _paced_figures(received: Mapping[str, Any]) -> dict[str, float]:
    expected = received["deliveries"] + received["missing"]
    return {
        "undelivered_percent": 100 * received["missing"] / expected,
        "cpu_us_per_delivery": _cpu_us(received),
        **{name: received[name] for name in ("p50_ms", "p99_ms") if name in received},
    }


def _rate(received: Mapping[str, Any]) -> float:
    """Return the deliveries a second, from the first to the last."""
    if not received["deliveries"]:
        raise ProcessFailed("nothing was delivered")
    rate: float = received["deliveries"] / max(received["seconds"], 1 / _US)
    return rate


def _cpu_us(received: Mapping[str, Any]) -> float:
    cost: float = received["server_cpu_seconds"] / max(1, received["deliveries"]) * _US
    return cost
