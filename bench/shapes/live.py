"""The live end: from a record's time until somebody has it, one record at a time."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.ground import Ground, say, wait_until_applied, wait_until_ready
from bench.load.deliveries import Wanted
from bench.measure import LIMIT, NEWCOMER, OURS, Measurement
from bench.plan import Plan
from bench.processes import Server
from bench.sources import Source, kafka_source
from bench.subscribed import subscribed
from bench.timetable import Timetable

LIVE_END = "live end, 20 records/s"

_UPDATES_A_SECOND = 20.0
_KEYS = 10
_SECONDS_MAX = 60.0
_WANTED = Wanted(1, 0, _KEYS, same=True)
# Numbers that no run of subscribers has.
_FIRST_RUN = 9_000


def measure(ground: Ground, plan: Plan) -> Iterator[Measurement]:
    """aiokafka alone, a subscriber of ours, one of the newcomer's, in turn, so many rounds."""
    topic = ground.topic("live-end", plan.keys, plan.keys)
    updates = max(_KEYS, int(plan.seconds * _UPDATES_A_SECOND))
    with kafka_source(ground.broker.bootstrap_servers, topic) as source:
        for number in range(1, plan.rounds + 1):
            say(f"round {number}: {LIVE_END}")
            yield _aiokafka(ground, topic, source, updates, number)
            with ground.ours(topic, _database(ground)) as server:
                wait_until_ready(server)
                yield _subscriber(OURS, server, source, updates, number)
            if plan.thorough:
                with ground.newcomer(topic, _database(ground)) as server:
                    wait_until_applied(server, plan.keys)
                    yield _subscriber(NEWCOMER, server, source, updates, number)


def _aiokafka(ground: Ground, topic: str, source: Source, updates: int, number: int) -> Measurement:
    asked = {"bootstrap_servers": ground.broker.bootstrap_servers, "topic": topic, "live": True}
    with ground.worker("fetch", **asked) as listener:
        listener.hear(_SECONDS_MAX)
        listener.tell(expected=updates)
        listener.hear(_SECONDS_MAX)
        source.go(Timetable(_FIRST_RUN + number, 0, _KEYS, updates, 1, _UPDATES_A_SECOND))
        taken = listener.hear(_SECONDS_MAX)
        return _measurement(LIMIT, number, {**taken, "acknowledged": source.done()["acknowledged"]})


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


def _database(ground: Ground) -> Path:
    return ground.fresh("live-end") / "database"
