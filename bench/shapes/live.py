"""The live end: from a record's time until somebody has it, one record at a time."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.environment import Environment, say, wait_until_applied, wait_until_ready
from bench.load.deliveries import Wanted
from bench.measure import BASELINE, FLOOR, OURS, Measurement
from bench.plan import Plan
from bench.processes import Server
from bench.schedule import Schedule
from bench.sources import Source, kafka_source
from bench.subscriptions import subscribed

LIVE_END = "live end, 20 records/s"

_UPDATES_A_SECOND = 20.0
_KEYS = 10
_SECONDS_MAX = 60.0
_WANTED = Wanted(1, 0, _KEYS, same=True)
# Numbers that no run of subscribers has.
_FIRST_RUN = 9_000


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """aiokafka alone, a subscriber of ours, one of the baseline's, in turn, so many rounds."""
    topic = environment.topic("live-end", plan.keys, plan.keys)
    updates = max(_KEYS, int(plan.seconds * _UPDATES_A_SECOND))
    with kafka_source(environment.broker.bootstrap_servers, topic) as source:
        for number in range(1, plan.rounds + 1):
            say(f"round {number}: {LIVE_END}")
            yield _aiokafka(environment, topic, source, updates, number)
            with environment.ours(topic, _database(environment)) as server:
                wait_until_ready(server)
                yield _subscriber(OURS, server, source, updates, number)
            if plan.thorough:
                with environment.baseline(topic, _database(environment)) as server:
                    wait_until_applied(server, plan.keys)
                    yield _subscriber(BASELINE, server, source, updates, number)


def _aiokafka(environment: Environment, topic: str, source: Source, updates: int, number: int) -> Measurement:
    asked = {"bootstrap_servers": environment.broker.bootstrap_servers, "topic": topic, "live": True}
    with environment.worker("fetch", **asked) as listener:
        listener.hear(_SECONDS_MAX)
        listener.tell(expected=updates)
        listener.hear(_SECONDS_MAX)
        source.go(Schedule(_FIRST_RUN + number, 0, _KEYS, updates, 1, _UPDATES_A_SECOND))
        taken = listener.hear(_SECONDS_MAX)
        return _measurement(FLOOR, number, {**taken, "acknowledged": source.done()["acknowledged"]})


def _subscriber(subject: str, server: Server, source: Source, updates: int, number: int) -> Measurement:
    with subscribed(server, source, _WANTED) as watching:
        watching.warm()
        return _measurement(subject, number, watching.take(updates, 1, _UPDATES_A_SECOND))


def _measurement(subject: str, number: int, taken: Mapping[str, Any]) -> Measurement:
    acknowledged = taken["acknowledged"]["p50_ms"]
    figures = {
        "p50_ms": taken["p50_ms"],
        "p99_ms": taken["p99_ms"],
        "acknowledged_p50_ms": acknowledged,
        "after_acknowledgement_ms": taken["p50_ms"] - acknowledged,
    }
    return Measurement(LIVE_END, subject, number, figures)


def _database(environment: Environment) -> Path:
    return environment.fresh("live-end") / "database"
