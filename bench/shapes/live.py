"""The live end: the time from a record's creation until a client has it, one record at a time."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.environment import Environment, say, wait_until_applied, wait_until_ready
from bench.load.deliveries import Wanted
from bench.measure import BASELINE, FLOOR, OURS, SIDES, Measurement, slices, turns
from bench.plan import Plan
from bench.processes import Server
from bench.schedule import Schedule
from bench.sources import Source, kafka_source
from bench.subscriptions import Subscriptions, open_subscriptions

LIVE_END = "live end, 20 records/s"

_UPDATES_PER_SECOND = 20.0
_KEYS = 10
_SECONDS_MAX = 60.0
_WANTED = Wanted(1, 0, _KEYS, same=True)
# No run of subscribers has these numbers.
_FIRST_RUN = 9_000
_US = 1_000_000
# Of each side in a pair.
_SLICES = 5


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure aiokafka alone, a subscriber of ours and one of the baseline in turn."""
    topic = environment.topic("live-end", plan.keys, plan.keys)
    with kafka_source(environment.broker.bootstrap_servers, topic) as source:
        for number in range(1, plan.rounds + 1):
            say(f"round {number}: {LIVE_END}")
            yield _aiokafka(environment, topic, source, _updates(plan), number)
            with environment.service(topic, _database(environment)) as server:
                wait_until_ready(server)
                yield _subscriber(OURS, server, source, _updates(plan), number)
            if plan.thorough:
                with environment.baseline(topic, _database(environment)) as server:
                    wait_until_applied(server, plan.keys)
                    yield _subscriber(BASELINE, server, source, _updates(plan), number)


def compare(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure a subscriber of both sides in alternating slices, with new processes for each pair."""
    with ExitStack() as stack:
        topics = {side: environment.topic(f"live-end-{side}", plan.keys, plan.keys) for side in SIDES}
        sources = {
            side: stack.enter_context(kafka_source(environment.broker.bootstrap_servers, topic))
            for side, topic in topics.items()
        }
        databases = {side: _database(environment) for side in SIDES}
        for number in range(1, plan.rounds + 1):
            say(f"pair {number}: {LIVE_END}")
            with ExitStack() as pair:
                opened: dict[str, Subscriptions] = {}
                for side in turns(number):
                    server = pair.enter_context(environment.service(topics[side], databases[side], subject=side))
                    wait_until_ready(server)
                    opened[side] = pair.enter_context(open_subscriptions(server, sources[side], _WANTED))
                    opened[side].warm_up()
                yield from _pair(opened, number, _updates(plan))


def _pair(opened: Mapping[str, Subscriptions], number: int, updates: int) -> Iterator[Measurement]:
    cpu_seconds = dict.fromkeys(opened, 0.0)
    for side in slices(number, _SLICES):
        received = opened[side].run(updates // _SLICES, 1, _UPDATES_PER_SECOND)
        cpu_seconds[side] += received["server_cpu_seconds"]
    for side, used in cpu_seconds.items():
        yield Measurement(LIVE_END, side, number, {"cpu_us_per_record": used / (updates // _SLICES * _SLICES) * _US})


def _aiokafka(environment: Environment, topic: str, source: Source, updates: int, number: int) -> Measurement:
    specification = {"bootstrap_servers": environment.broker.bootstrap_servers, "topic": topic, "live": True}
    with environment.floor_worker("fetch", **specification) as listener:
        listener.receive(_SECONDS_MAX)
        listener.send(expected=updates)
        listener.receive(_SECONDS_MAX)
        source.start(Schedule(_FIRST_RUN + number, 0, _KEYS, updates, 1, _UPDATES_PER_SECOND))
        received = listener.receive(_SECONDS_MAX)
        figures = _latencies({**received, "acknowledged": source.finish()["acknowledged"]})
        return Measurement(LIVE_END, FLOOR, number, figures)


def _subscriber(subject: str, server: Server, source: Source, updates: int, number: int) -> Measurement:
    with open_subscriptions(server, source, _WANTED) as subscriptions:
        subscriptions.warm_up()
        received = subscriptions.run(updates, 1, _UPDATES_PER_SECOND)
        cost = received["server_cpu_seconds"] / updates * _US
        return Measurement(LIVE_END, subject, number, {**_latencies(received), "cpu_us_per_record": cost})


def _latencies(received: Mapping[str, Any]) -> dict[str, float]:
    acknowledged = received["acknowledged"]["p50_ms"]
    return {
        "p50_ms": received["p50_ms"],
        "p99_ms": received["p99_ms"],
        "acknowledged_p50_ms": acknowledged,
        "after_acknowledgement_ms": received["p50_ms"] - acknowledged,
    }


def _updates(plan: Plan) -> int:
    return max(_KEYS, int(plan.seconds * _UPDATES_PER_SECOND))


def _database(environment: Environment) -> Path:
    return environment.fresh("live-end") / "database"
