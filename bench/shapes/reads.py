"""Reads, keys drawn uniformly at random: one key, many keys, a page."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench.environment import Environment, say, wait_until_applied, wait_until_listening, wait_until_ready
from bench.measure import BASELINE, FLOOR, OURS, Measurement, bottleneck, shares
from bench.plan import Plan
from bench.processes import Server, Worker

WARM_SECONDS = 0.5
_ANSWER_SECONDS_MAX = 60.0
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Read:
    """A shape: the kind of request, how many keys or entries in one, over how many connections."""

    shape: str
    kind: str
    size: int
    connections: int


ONE = Read("one key", "one", 1, 16)
MANY = Read("100 keys", "many", 100, 4)
PAGE = Read("a page of 1,000", "page", 1_000, 4)


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Every read of every subject, in turn, so many rounds."""
    with ExitStack() as stack:
        subjects = start(environment, plan, stack)
        for number in range(1, plan.rounds + 1):
            for read in (ONE, MANY, PAGE):
                for subject, server in subjects.items():
                    say(f"round {number}: {read.shape}, {subject}")
                    yield measure_one(server, subject, read, number, plan)


def start(environment: Environment, plan: Plan, stack: ExitStack, name: str = "reads") -> dict[str, Server]:
    """The three subjects with the same table, ready. The floor reads the file that the service writes."""
    topic = environment.topic(name, plan.keys, plan.keys)
    database = environment.fresh(name) / "kvs.db"
    ours = stack.enter_context(environment.ours(topic, database))
    wait_until_ready(ours)
    baseline = stack.enter_context(environment.baseline(topic, environment.fresh(name) / "baseline.db"))
    wait_until_applied(baseline, plan.keys)
    floor = stack.enter_context(environment.floor("reads", database=database))
    wait_until_listening(floor)
    return {FLOOR: floor, OURS: ours, BASELINE: baseline}


def measure_one(server: Server, subject: str, read: Read, number: int, plan: Plan) -> Measurement:
    """One subject under one read for so many seconds."""
    specification: dict[str, Any] = {
        "port": server.port,
        "server_pid": server.pid,
        "kind": read.kind,
        "size": read.size,
        "keys_total": plan.keys,
        "connections": read.connections,
        "warm_seconds": WARM_SECONDS,
        "seconds": plan.seconds,
        "check": True,
        # The same requests for every subject of a round.
        "seed": number,
    }
    with Worker("bench.load.http", **specification) as worker:
        found = worker.hear(plan.seconds + _ANSWER_SECONDS_MAX)
    requests = max(1, found["requests"])
    used = {name: found[name] for name in ("wall_seconds", "server_cpu_seconds", "load_cpu_seconds")}
    return Measurement(
        read.shape,
        subject,
        number,
        {
            "requests_per_s": found["requests"] / found["wall_seconds"],
            "cpu_us_per_request": found["server_cpu_seconds"] / requests * _US,
            **{name: found[name] for name in ("p50_ms", "p99_ms") if name in found},
            **shares(**used),
        },
        bottleneck(**used),
    )
