"""Fan-out: many subscribers to few keys, many subscribers with a key each, few updates and many updates."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bench.environment import Environment, say, wait_until_applied, wait_until_listening, wait_until_ready
from bench.failures import record_failures
from bench.load.deliveries import Wanted
from bench.load.transports import BARE_WEBSOCKET, SSE, WEBSOCKET
from bench.measure import BASELINE, FLOOR, OURS, SIDES, Measurement, bottleneck, shares, turns
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
_HUNDRED_UPDATES_PER_SECOND = 50.0
_OWN_TICKS_PER_SECOND = 10.0
_MANY_SUBSCRIPTIONS = 5_000
_MANY_PER_SOCKET = 100
_MANY_TICKS_PER_SECOND = 100.0
_PROBE_UPDATES = 4
# Faster than any server sends, so that all updates wait for it.
_AT_ONCE_TICKS_PER_SECOND = 1_000.0
_US = 1_000_000

SAME = Wanted(_SUBSCRIBERS, 0, _KEYS, same=True)
SAME_HUNDRED = Wanted(100, 0, _KEYS, same=True)
OWN = Wanted(_SUBSCRIBERS, 0, 1, same=False)
MANY_OWN = Wanted(_MANY_SUBSCRIPTIONS, 0, 1, same=False)

# The floor of both transports is the bare WebSocket send.
_SSE_SHAPES = {FLAT_OUT: SSE_FLAT_OUT, HALF_RATE: SSE_HALF_RATE}


@dataclass(frozen=True, slots=True)
class Subject:
    """A server, and the source of its updates."""

    name: str
    server: Server
    source: Source


@dataclass(frozen=True, slots=True)
class SameKeys:
    """The two shapes of one transport with the same keys for all."""

    transport: str
    flat_out: str
    half_rate: str


_OVER_WEBSOCKET = SameKeys(WEBSOCKET, FLAT_OUT, HALF_RATE)
_OVER_SSE = SameKeys(SSE, SSE_FLAT_OUT, SSE_HALF_RATE)


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure every shape of the floor, ours and the baseline in turn."""
    with ExitStack() as stack:
        subjects = _start(environment, plan, stack)
        for number in range(1, plan.rounds + 1):
            yield from _round(subjects, number, plan, floor_rate=0.0)


def compare(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure every shape of both sides in turn, with new processes for each pair, at the pace of one floor."""
    with ExitStack() as stack:
        topics = {side: environment.topic(f"fanout-{side}", plan.keys, plan.keys) for side in SIDES}
        sources = {side: _source(environment, topics[side], stack) for side in SIDES}
        databases = {side: environment.fresh("fanout") / "kvs.db" for side in SIDES}
        floor_rate = 0.0
        for number in range(1, plan.rounds + 1):
            with ExitStack() as servers:
                subjects = []
                for side in turns(number):
                    server = environment.service(topics[side], databases[side], subject=side)
                    subjects.append(Subject(side, servers.enter_context(server), sources[side]))
                    wait_until_ready(server)
                floor_rate = floor_rate or _floor_rate(environment, subjects[0], plan)
                yield from _round(subjects, number, plan, floor_rate)


def _round(subjects: list[Subject], number: int, plan: Plan, floor_rate: float) -> Iterator[Measurement]:
    """Measure every shape; a floor among the subjects comes first and sets the pace of the others."""
    for subject in subjects:
        for measured in _same_keys(subject, _OVER_WEBSOCKET, number, plan, floor_rate):
            yield measured
            if measured.subject == FLOOR:
                floor_rate = measured.figures.get("deliveries_per_s", floor_rate)
                yield replace(measured, shape=_SSE_SHAPES[measured.shape])
    for subject in subjects:
        if subject.name not in (FLOOR, BASELINE):
            yield from _same_keys(subject, _OVER_SSE, number, plan, floor_rate)
    for subject in subjects:
        if plan.thorough or subject.name != BASELINE:
            yield from record_failures(OWN_KEYS, subject.name, number, _own_keys(subject, number, plan))
    for subject in subjects:
        yield from record_failures(HUNDRED, subject.name, number, _hundred(subject, number, plan))
    for subject in subjects if plan.thorough else ():
        yield from record_failures(MANY, subject.name, number, _many(subject, number, plan))


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
    floor = stack.enter_context(_floor(environment, ours))
    return [floor, ours, Subject(BASELINE, baseline, sources[BASELINE])]


def _source(environment: Environment, topic: str, stack: ExitStack) -> KafkaSource:
    return stack.enter_context(kafka_source(environment.broker.bootstrap_servers, topic))


@contextmanager
def _floor(environment: Environment, service: Subject) -> Iterator[Subject]:
    """Start the bare application, whose messages are as long as those of the service."""
    with _subscriptions(service, Wanted(1, 0, _KEYS, same=True)) as subscriptions:
        payload_bytes = subscriptions.run(1, 1, 1.0)["payload_bytes"]
    with environment.floor("sends", payload_bytes=payload_bytes) as server:
        wait_until_listening(server)
        yield Subject(FLOOR, server, BareSource(server))


def _floor_rate(environment: Environment, service: Subject, plan: Plan) -> float:
    """Return the floor's deliveries a second, flat out."""
    with _floor(environment, service) as floor:
        flat_out = next(iter(_flat_out_and_half_rate(floor, _OVER_WEBSOCKET, 0, plan, 0.0)))
    return flat_out.figures["deliveries_per_s"]


def _same_keys(subject: Subject, shapes: SameKeys, number: int, plan: Plan, floor_rate: float) -> Iterator[Measurement]:
    measured = _flat_out_and_half_rate(subject, shapes, number, plan, floor_rate)
    return record_failures(shapes.flat_out, subject.name, number, measured)


def _flat_out_and_half_rate(
    subject: Subject, shapes: SameKeys, number: int, plan: Plan, floor_rate: float
) -> Iterator[Measurement]:
    with _subscriptions(subject, SAME, shapes.transport) as subscriptions:
        say(f"round {number}: {shapes.flat_out}, {subject.name}")
        probed = subscriptions.run(_PROBE_UPDATES, _PROBE_UPDATES, 1.0)
        wait_until_idle(subject.server)
        updates = max(_PROBE_UPDATES, int(_rate(probed) * plan.seconds / _SUBSCRIBERS))
        flat_out = subscriptions.run(updates, 1, _AT_ONCE_TICKS_PER_SECOND)
        figures = {"deliveries_per_s": _rate(flat_out), "cpu_us_per_delivery": _cpu_us(flat_out)}
        yield _measurement(shapes.flat_out, subject, number, flat_out, figures)
        if subject.name == BASELINE and not plan.thorough:
            return
        say(f"round {number}: {shapes.half_rate}, {subject.name}")
        wait_until_idle(subject.server)
        updates_per_second = (floor_rate or figures["deliveries_per_s"]) / 2 / _SUBSCRIBERS
        half = subscriptions.run(max(1, int(updates_per_second * plan.seconds)), 1, updates_per_second)
        yield _measurement(shapes.half_rate, subject, number, half, _paced_figures(half))


def _own_keys(subject: Subject, number: int, plan: Plan) -> Iterator[Measurement]:
    say(f"round {number}: {OWN_KEYS}, {subject.name}")
    ticks = max(1, int(plan.seconds * _OWN_TICKS_PER_SECOND))
    with _subscriptions(subject, OWN) as subscriptions:
        received = subscriptions.run(ticks * _SUBSCRIBERS, _SUBSCRIBERS, _OWN_TICKS_PER_SECOND)
        yield _measurement(OWN_KEYS, subject, number, received, _paced_figures(received))


def _hundred(subject: Subject, number: int, plan: Plan) -> Iterator[Measurement]:
    say(f"round {number}: {HUNDRED}, {subject.name}")
    with _subscriptions(subject, SAME_HUNDRED) as subscriptions:
        updates = int(plan.seconds * _HUNDRED_UPDATES_PER_SECOND)
        received = subscriptions.run(updates, 1, _HUNDRED_UPDATES_PER_SECOND)
        yield _measurement(HUNDRED, subject, number, received, _paced_figures(received))


def _many(subject: Subject, number: int, plan: Plan) -> Iterator[Measurement]:
    say(f"round {number}: {MANY}, {subject.name}")
    per_tick = int(_MANY_SUBSCRIPTIONS / _MANY_TICKS_PER_SECOND)
    with _subscriptions(subject, MANY_OWN, per_connection=_MANY_PER_SOCKET) as subscriptions:
        updates = max(1, int(plan.seconds)) * _MANY_SUBSCRIPTIONS
        received = subscriptions.run(updates, per_tick, _MANY_TICKS_PER_SECOND)
        yield _measurement(MANY, subject, number, received, _paced_figures(received))


@contextmanager
def _subscriptions(
    subject: Subject, wanted: Wanted, transport: str = WEBSOCKET, per_connection: int = 1
) -> Iterator[Subscriptions]:
    """Open subscriptions that receive updates, at a server that is idle."""
    spoken = BARE_WEBSOCKET if subject.name == FLOOR else transport
    with open_subscriptions(
        subject.server, subject.source, wanted, transport=spoken, per_connection=per_connection
    ) as subscriptions:
        subscriptions.warm_up()
        wait_until_idle(subject.server)
        yield subscriptions


def _measurement(
    shape: str, subject: Subject, number: int, received: Mapping[str, Any], figures: dict[str, float]
) -> Measurement:
    used = {name: received[name] for name in ("wall_seconds", "server_cpu_seconds", "load_cpu_seconds")}
    odd = [f"{received[name]:,} {name}" for name in ("lost", "repeated", "strays") if received[name]]
    late = ["the producer was late"] if received["late"] else []
    return Measurement(shape, subject.name, number, {**figures, **shares(**used)}, (*bottleneck(**used), *odd, *late))


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
