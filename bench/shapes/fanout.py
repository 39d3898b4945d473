"""Fan-out over WebSockets: many subscribers, few keys; many subscribers, a key each; few updates, many updates."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.environment import Environment, say, wait_until_applied, wait_until_listening, wait_until_ready
from bench.failures import record_failures
from bench.load.deliveries import Wanted
from bench.measure import BASELINE, FLOOR, OURS, Measurement, bottleneck, shares
from bench.plan import Plan
from bench.processes import ProcessFailed, Server
from bench.sources import BareSource, KafkaSource, Source, kafka_source
from bench.subscriptions import Subscribed, come_to_rest, subscribed

FLAT_OUT = "1,000 subscribers, same keys, flat out"
HALF_RATE = "1,000 subscribers, same keys, half the floor's rate"
OWN_KEYS = "1,000 subscribers, own keys, 10 updates/s each"
HUNDRED = "100 subscribers, same keys, 50 updates/s"
MANY = "5,000 subscriptions, own keys, 1 update/s each"

_KEYS = 10
_SUBSCRIBERS = 1_000
_HUNDRED_UPDATES_A_SECOND = 50.0
_OWN_TICKS_A_SECOND = 10.0
_MANY_SUBSCRIPTIONS = 5_000
_MANY_A_SOCKET = 100
_MANY_TICKS_A_SECOND = 100.0
_PROBE_UPDATES = 4
# More than any server sends: all of it is there at once.
_AT_ONCE_TICKS_A_SECOND = 1_000.0
_US = 1_000_000

SAME = Wanted(_SUBSCRIBERS, 0, _KEYS, same=True)
SAME_HUNDRED = Wanted(100, 0, _KEYS, same=True)
OWN = Wanted(_SUBSCRIBERS, 0, 1, same=False)
MANY_OWN = Wanted(_MANY_SUBSCRIPTIONS, 0, 1, same=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """A server, and what makes it send."""

    name: str
    server: Server
    source: Source

    @property
    def graphql(self) -> bool:
        return self.name != FLOOR


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Every shape of every subject, in turn, so many rounds."""
    with ExitStack() as stack:
        subjects = _start(environment, plan, stack)
        for number in range(1, plan.rounds + 1):
            floor_rate = 0.0
            for subject in subjects:
                found = _same_keys(subject, number, plan, floor_rate)
                for measured in record_failures(FLAT_OUT, subject.name, number, found):
                    if measured.subject == FLOOR:
                        floor_rate = measured.figures.get("deliveries_per_s", floor_rate)
                    yield measured
            for subject in subjects:
                if plan.thorough or subject.name != BASELINE:
                    yield from record_failures(OWN_KEYS, subject.name, number, _own_keys(subject, number, plan))
            for subject in subjects:
                yield from record_failures(HUNDRED, subject.name, number, _hundred(subject, number, plan))
            for subject in subjects if plan.thorough else ():
                yield from record_failures(MANY, subject.name, number, _many(subject, number, plan))


def _start(environment: Environment, plan: Plan, stack: ExitStack) -> list[Subject]:
    """The three subjects. Ours and the baseline's have a topic each, so that the one rests while the other works."""
    sources: dict[str, KafkaSource] = {}
    topics = {name: environment.topic(f"fanout-{name}", plan.keys, plan.keys) for name in (OURS, BASELINE)}
    for name, topic in topics.items():
        sources[name] = stack.enter_context(kafka_source(environment.broker.bootstrap_servers, topic))
    ours = stack.enter_context(environment.ours(topics[OURS], environment.fresh("fanout") / "kvs.db"))
    wait_until_ready(ours)
    baseline = stack.enter_context(environment.baseline(topics[BASELINE], environment.fresh("fanout") / "baseline.db"))
    wait_until_applied(baseline, plan.keys)
    payload_bytes = _payload_bytes(Subject(OURS, ours, sources[OURS]))
    floor = stack.enter_context(environment.floor("sends", payload_bytes=payload_bytes))
    wait_until_listening(floor)
    return [
        Subject(FLOOR, floor, BareSource(floor)),
        Subject(OURS, ours, sources[OURS]),
        Subject(BASELINE, baseline, sources[BASELINE]),
    ]


def _payload_bytes(ours: Subject) -> int:
    """How long a message of ours is, for the floor's to be as long."""
    with _subscribed(ours, Wanted(1, 0, _KEYS, same=True)) as watching:
        return int(watching.take(1, 1, 1.0)["payload_bytes"])


def _same_keys(subject: Subject, number: int, plan: Plan, floor_rate: float) -> Iterator[Measurement]:
    with _subscribed(subject, SAME) as watching:
        say(f"round {number}: {FLAT_OUT}, {subject.name}")
        probed = watching.take(_PROBE_UPDATES, _PROBE_UPDATES, 1.0)
        come_to_rest(subject.server)
        updates = max(_PROBE_UPDATES, int(_rate(probed) * plan.seconds / _SUBSCRIBERS))
        flat_out = watching.take(updates, 1, _AT_ONCE_TICKS_A_SECOND)
        figures = {"deliveries_per_s": _rate(flat_out), "cpu_us_per_delivery": _cpu_us(flat_out)}
        yield _measurement(FLAT_OUT, subject, number, flat_out, figures)
        if subject.name == BASELINE and not plan.thorough:
            return
        say(f"round {number}: {HALF_RATE}, {subject.name}")
        come_to_rest(subject.server)
        updates_a_second = (floor_rate or figures["deliveries_per_s"]) / 2 / _SUBSCRIBERS
        half = watching.take(max(1, int(updates_a_second * plan.seconds)), 1, updates_a_second)
        yield _measurement(HALF_RATE, subject, number, half, _paced_figures(half))


def _own_keys(subject: Subject, number: int, plan: Plan) -> Iterator[Measurement]:
    say(f"round {number}: {OWN_KEYS}, {subject.name}")
    ticks = max(1, int(plan.seconds * _OWN_TICKS_A_SECOND))
    with _subscribed(subject, OWN) as watching:
        taken = watching.take(ticks * _SUBSCRIBERS, _SUBSCRIBERS, _OWN_TICKS_A_SECOND)
        yield _measurement(OWN_KEYS, subject, number, taken, _paced_figures(taken))


def _hundred(subject: Subject, number: int, plan: Plan) -> Iterator[Measurement]:
    say(f"round {number}: {HUNDRED}, {subject.name}")
    with _subscribed(subject, SAME_HUNDRED) as watching:
        taken = watching.take(int(plan.seconds * _HUNDRED_UPDATES_A_SECOND), 1, _HUNDRED_UPDATES_A_SECOND)
        yield _measurement(HUNDRED, subject, number, taken, _paced_figures(taken))


def _many(subject: Subject, number: int, plan: Plan) -> Iterator[Measurement]:
    say(f"round {number}: {MANY}, {subject.name}")
    a_tick = int(_MANY_SUBSCRIPTIONS / _MANY_TICKS_A_SECOND)
    with _subscribed(subject, MANY_OWN, _MANY_A_SOCKET) as watching:
        taken = watching.take(int(plan.seconds) * _MANY_SUBSCRIPTIONS, a_tick, _MANY_TICKS_A_SECOND)
        yield _measurement(MANY, subject, number, taken, _paced_figures(taken))


@contextmanager
def _subscribed(subject: Subject, wanted: Wanted, a_socket: int = 1) -> Iterator[Subscribed]:
    """Subscriptions that are live, at a server that rests."""
    with subscribed(
        subject.server, subject.source, wanted, graphql=subject.graphql, subscriptions_a_socket=a_socket
    ) as watching:
        watching.warm()
        come_to_rest(subject.server)
        yield watching


def _measurement(
    shape: str, subject: Subject, number: int, taken: Mapping[str, Any], figures: dict[str, float]
) -> Measurement:
    used = {name: taken[name] for name in ("wall_seconds", "server_cpu_seconds", "load_cpu_seconds")}
    odd = [f"{taken[name]:,} {name}" for name in ("lost", "repeated", "strays") if taken[name]]
    late = ["the producer was late"] if taken["late"] else []
    return Measurement(shape, subject.name, number, {**figures, **shares(**used)}, (*bottleneck(**used), *odd, *late))


def _paced_figures(taken: Mapping[str, Any]) -> dict[str, float]:
    expected = taken["deliveries"] + taken["missing"]
    return {
        "undelivered_percent": 100 * taken["missing"] / expected,
        "cpu_us_per_delivery": _cpu_us(taken),
        **{name: taken[name] for name in ("p50_ms", "p99_ms") if name in taken},
    }


def _rate(taken: Mapping[str, Any]) -> float:
    """Deliveries a second, from the first to the last."""
    if not taken["deliveries"]:
        raise ProcessFailed("nothing was delivered")
    rate: float = taken["deliveries"] / max(taken["seconds"], 1 / _US)
    return rate


def _cpu_us(taken: Mapping[str, Any]) -> float:
    cost: float = taken["server_cpu_seconds"] / max(1, taken["deliveries"]) * _US
    return cost
