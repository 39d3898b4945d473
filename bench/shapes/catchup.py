"""Catching up: with an empty table, with a table that is far behind, and reads meanwhile."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.environment import Environment, say, wait_until_applied, wait_until_ready
from bench.measure import BASELINE, FLOOR, OURS, SIDES, Measurement, turns
from bench.plan import Plan
from bench.processes import Server, Worker
from bench.startup import CaughtUp, Startup

EMPTY = "catch up, empty table"
EMPTY_ALL = "catch up, empty table, all processors"
FAR_BEHIND = "catch up, far behind"
FETCH = "fetch alone"
READS = "one key, 100/s, while catching up"

_READS_PER_SECOND = 100.0
_READ_CONNECTIONS = 16
_MORE_SEED = 2
_SECONDS_MAX = 600.0
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Topics:
    """What to catch up with: `empty` from nothing, `far` from the table in `behind`, which has half of its records."""

    records: int
    empty: str
    far: str
    behind: Mapping[str, Path]
    """By subject, because commits may differ in the format of the file."""


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure every kind of catching up in turn."""
    topics = _prepare(environment, plan, (OURS,))
    for number in range(1, plan.rounds + 1):
        yield _fetch(environment, topics, number)
        yield _sqlite(environment, topics, EMPTY, number)
        yield _service(environment, topics, EMPTY, OURS, number)
        yield _baseline(environment, topics, number)
        if plan.thorough:
            yield _service(environment, topics, EMPTY_ALL, OURS, number)
        yield _sqlite(environment, topics, FAR_BEHIND, number)
        yield _service(environment, topics, FAR_BEHIND, OURS, number)
        yield _reads(environment, topics, plan, number)


def compare(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure both sides in turn, each time with new processes and databases."""
    topics = _prepare(environment, plan, SIDES)
    for number in range(1, plan.rounds + 1):
        for shape in (EMPTY, EMPTY_ALL, FAR_BEHIND):
            for side in turns(number):
                yield _service(environment, topics, shape, side, number)


def _prepare(environment: Environment, plan: Plan, subjects: tuple[str, ...]) -> Topics:
    say(f"{plan.records:,} records for each topic")
    empty = environment.topic("catchup", plan.records, plan.keys)
    far = environment.topic("far-behind", plan.records, plan.keys)
    behind = {subject: environment.fresh("behind") / "kvs.db" for subject in subjects}
    for subject, database in behind.items():
        with environment.service(far, database, subject=subject, all_processors=True) as server:
            wait_until_ready(server)
    environment.add(far, plan.records, plan.keys, _MORE_SEED)
    return Topics(plan.records, empty, far, behind)


def _fetch(environment: Environment, topics: Topics, number: int) -> Measurement:
    say(f"round {number}: {FETCH}")
    specification = {"bootstrap_servers": environment.broker.bootstrap_servers, "topic": topics.empty, "live": False}
    with environment.floor_worker("fetch", **specification) as worker:
        return Measurement(FETCH, FLOOR, number, floor_figures(worker.receive(_SECONDS_MAX)))


def _sqlite(environment: Environment, topics: Topics, shape: str, number: int) -> Measurement:
    say(f"round {number}: {shape}, SQLite alone")
    topic, database = _start_state(environment, topics, shape, OURS)
    specification = {
        "bootstrap_servers": environment.broker.bootstrap_servers,
        "topic": topic,
        "database": str(database),
    }
    with environment.floor_worker("table", **specification) as worker:
        found = worker.receive(_SECONDS_MAX)
    environment.discard(database.parent)
    return Measurement(shape, FLOOR, number, floor_figures(found))


def _service(environment: Environment, topics: Topics, shape: str, subject: str, number: int) -> Measurement:
    say(f"round {number}: {shape}, {subject}")
    topic, database = _start_state(environment, topics, shape, subject)
    all_processors = shape == EMPTY_ALL
    with environment.service(topic, database, subject=subject, all_processors=all_processors) as server:
        caught_up = Startup(server).wait_until_ready()
    environment.discard(database.parent)
    return Measurement(shape, subject, number, caught_up_figures(topics.records, caught_up))


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
    topic, database = _start_state(environment, topics, FAR_BEHIND, OURS)
    with environment.service(topic, database) as server, ExitStack() as stack:
        startup = Startup(server)
        startup.wait_until_reading()
        reading = stack.enter_context(Worker("bench.load.http", **_read_load(server, plan, number)))
        reading.receive(_SECONDS_MAX)
        reading.send(seconds=None)
        startup.wait_until_ready()
        reading.send(command="stop")
        found = reading.receive(_SECONDS_MAX)
    environment.discard(database.parent)
    remarks = () if found["requests"] >= _READS_PER_SECOND else (f"only {found['requests']} reads",)
    return Measurement(READS, OURS, number, {name: found[name] for name in ("p50_ms", "p99_ms")}, remarks)


def _read_load(server: Server, plan: Plan, number: int) -> dict[str, Any]:
    return {
        "port": server.port,
        "server_pid": server.pid,
        "kind": "one",
        "size": 1,
        "keys_total": plan.keys,
        "connections": _READ_CONNECTIONS,
        "rate": _READS_PER_SECOND,
        "warm_seconds": 0,
        "check": False,
        "seed": number,
    }


def _start_state(environment: Environment, topics: Topics, shape: str, subject: str) -> tuple[str, Path]:
    """Return the topic of a shape, and a new database with what the subject starts from."""
    database = environment.fresh("catchup") / "kvs.db"
    if shape != FAR_BEHIND:
        return topics.empty, database
    shutil.copyfile(topics.behind[subject], database)
    return topics.far, database


def caught_up_figures(records: int, caught_up: CaughtUp) -> dict[str, float]:
    """Return the figures of a service that caught up with so many records."""
    return {
        "records_per_s": records / caught_up.seconds,
        "cpu_us_per_record": caught_up.cpu_seconds / records * _US,
        "peak_rss_mib": caught_up.peak_rss_mib,
    }


def floor_figures(found: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of what a floor's process found."""
    return {
        "records_per_s": found["records"] / found["seconds"],
        "cpu_us_per_record": found["cpu_seconds"] / found["records"] * _US,
    }


def _applied(server: Server) -> int:
    answer = server.query("{ applied }")
    assert answer is not None
    applied: int = answer["data"]["applied"]
    return applied
