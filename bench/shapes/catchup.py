"""Catching up: with an empty table, with a table that is far behind, and reads meanwhile."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.environment import Environment, say, wait_until_applied, wait_until_ready
from bench.measure import BASELINE, FLOOR, OURS, Measurement
from bench.plan import Plan
from bench.processes import Server, Worker
from bench.startup import CaughtUp, Following

EMPTY = "catch up, empty table"
EMPTY_ALL = "catch up, empty table, all processors"
FAR_BEHIND = "catch up, far behind"
FETCH = "fetch alone"
READS = "one key, 100/s, while catching up"

_READS_A_SECOND = 100.0
_READ_CONNECTIONS = 16
_MORE_SEED = 2
_SECONDS_MAX = 600.0
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Topics:
    """What is caught up with: one topic from nothing, one from `behind`, a table that has the half of it."""

    records: int
    empty: str
    far: str
    behind: Path


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Every kind of catching up, in turn, so many rounds."""
    topics = _prepare(environment, plan)
    for number in range(1, plan.rounds + 1):
        yield _fetch(environment, topics, number)
        yield _sqlite(environment, topics, EMPTY, number)
        yield _ours(environment, topics, EMPTY, number)
        yield _baseline(environment, topics, number)
        if plan.thorough:
            yield _ours(environment, topics, EMPTY_ALL, number)
        yield _sqlite(environment, topics, FAR_BEHIND, number)
        yield _ours(environment, topics, FAR_BEHIND, number)
        yield _reads(environment, topics, plan, number)


def _prepare(environment: Environment, plan: Plan) -> Topics:
    say(f"{plan.records:,} records for each topic")
    empty = environment.topic("catchup", plan.records, plan.keys)
    far = environment.topic("far-behind", plan.records, plan.keys)
    behind = environment.fresh("behind") / "kvs.db"
    with environment.ours(far, behind, all_processors=True) as server:
        wait_until_ready(server)
    environment.add(far, plan.records, plan.keys, _MORE_SEED)
    return Topics(plan.records, empty, far, behind)


def _fetch(environment: Environment, topics: Topics, number: int) -> Measurement:
    say(f"round {number}: {FETCH}")
    asked = {"bootstrap_servers": environment.broker.bootstrap_servers, "topic": topics.empty, "live": False}
    with environment.worker("fetch", **asked) as worker:
        return Measurement(FETCH, FLOOR, number, _alone(worker.hear(_SECONDS_MAX)))


def _sqlite(environment: Environment, topics: Topics, shape: str, number: int) -> Measurement:
    say(f"round {number}: {shape}, SQLite alone")
    topic, database = _begin(environment, topics, shape)
    asked = {"bootstrap_servers": environment.broker.bootstrap_servers, "topic": topic, "database": str(database)}
    with environment.worker("table", **asked) as worker:
        found = worker.hear(_SECONDS_MAX)
    environment.discard(database.parent)
    return Measurement(shape, FLOOR, number, _alone(found))


def _ours(environment: Environment, topics: Topics, shape: str, number: int) -> Measurement:
    say(f"round {number}: {shape}, ours")
    topic, database = _begin(environment, topics, shape)
    with environment.ours(topic, database, all_processors=shape == EMPTY_ALL) as server:
        caught_up = Following(server).wait_until_ready()
    environment.discard(database.parent)
    return Measurement(shape, OURS, number, _figures(topics.records, caught_up))


def _baseline(environment: Environment, topics: Topics, number: int) -> Measurement:
    say(f"round {number}: {EMPTY}, baseline")
    database = environment.fresh("baseline") / "baseline.db"
    with environment.baseline(topics.empty, database) as server:
        wait_until_applied(server, 1)
        began, before = time.perf_counter(), _applied(server)
        wait_until_applied(server, topics.records)
        rate = (topics.records - before) / (time.perf_counter() - began)
    environment.discard(database.parent)
    return Measurement(EMPTY, BASELINE, number, {"records_per_s": rate})


def _reads(environment: Environment, topics: Topics, plan: Plan, number: int) -> Measurement:
    say(f"round {number}: {READS}, ours")
    topic, database = _begin(environment, topics, FAR_BEHIND)
    with environment.ours(topic, database) as server, ExitStack() as stack:
        following = Following(server)
        following.wait_until_reading()
        reading = stack.enter_context(Worker("bench.load.http", **_read_load(server, plan, number)))
        reading.hear(_SECONDS_MAX)
        following.wait_until_ready()
        reading.tell(command="stop")
        found = reading.hear(_SECONDS_MAX)
    environment.discard(database.parent)
    remarks = () if found["requests"] >= _READS_A_SECOND else (f"only {found['requests']} reads",)
    return Measurement(READS, OURS, number, {name: found[name] for name in ("p50_ms", "p99_ms")}, remarks)


def _read_load(server: Server, plan: Plan, number: int) -> dict[str, Any]:
    return {
        "port": server.port,
        "server_pid": server.pid,
        "kind": "one",
        "size": 1,
        "keys_total": plan.keys,
        "connections": _READ_CONNECTIONS,
        "rate": _READS_A_SECOND,
        "warm_seconds": 0,
        "seconds": None,
        "check": False,
        "seed": number,
    }


def _begin(environment: Environment, topics: Topics, shape: str) -> tuple[str, Path]:
    """The topic of a shape, and a database as it stands at the beginning."""
    database = environment.fresh("catchup") / "kvs.db"
    if shape != FAR_BEHIND:
        return topics.empty, database
    shutil.copyfile(topics.behind, database)
    return topics.far, database


def _figures(records: int, caught_up: CaughtUp) -> dict[str, float]:
    return {
        "records_per_s": records / caught_up.seconds,
        "cpu_us_per_record": caught_up.cpu_seconds / records * _US,
        "peak_rss_mib": caught_up.peak_rss_mib,
    }


def _alone(found: dict[str, Any]) -> dict[str, float]:
    return {
        "records_per_s": found["records"] / found["seconds"],
        "cpu_us_per_record": found["cpu_seconds"] / found["records"] * _US,
    }


def _applied(server: Server) -> int:
    answer = server.ask("{ applied }")
    assert answer is not None
    applied: int = answer["data"]["applied"]
    return applied
