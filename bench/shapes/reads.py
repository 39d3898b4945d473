"""Reads of keys drawn uniformly at random: one key, many keys, a page."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.environment import Environment, say, wait_until_applied, wait_until_listening, wait_until_ready
from bench.measure import BASELINE, FLOOR, OURS, SIDES, Measurement, bottleneck, shares, slices, turns
from bench.plan import Plan
from bench.processes import Server, Worker
from bench.queries import ENTRY

WARM_SECONDS = 0.5
_ANSWER_SECONDS_MAX = 60.0
_US = 1_000_000
# Of each side in a pair.
_SLICES = 15


@dataclass(frozen=True, slots=True)
class Read:
    """A shape: the kind of request, how many keys or entries one names, over how many connections."""

    shape: str
    kind: str
    size: int
    connections: int
    entry: str = ENTRY
    """What is selected of each entry."""
    tokens: Sequence[str] = ()
    """Who asks, in turn; empty for requests without a token."""


ONE = Read("one key", "one", 1, 16)
MANY = Read("100 keys", "many", 100, 4)
PAGE = Read("a page of 1,000", "page", 1_000, 4)
READS = (ONE, MANY, PAGE)


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure every read of the floor, ours and the baseline in turn."""
    with ExitStack() as stack:
        servers = _start(environment, plan, stack)
        for number in range(1, plan.rounds + 1):
            yield from _round(servers, number, plan)


def compare(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure every read of both sides in turn, with new processes for each pair."""
    topic = environment.topic("reads", plan.keys, plan.keys)
    databases = {side: environment.fresh("reads") / "kvs.db" for side in SIDES}
    for number in range(1, plan.rounds + 1):
        with ExitStack() as stack:
            servers = {side: _serve(environment, topic, databases[side], side, stack) for side in turns(number)}
            for read in READS:
                say(f"pair {number}: {read.shape}")
                yield from measure_pair(servers, dict.fromkeys(servers, read), number, plan)


def measure_pair(
    servers: Mapping[str, Server], reads: Mapping[str, Read], number: int, plan: Plan
) -> Iterator[Measurement]:
    """Measure both sides in alternating slices, each with its own read of the same shape."""
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in servers}
    with ExitStack() as stack:
        workers = {side: stack.enter_context(_load(servers[side], reads[side], number, plan)) for side in servers}
        for side in slices(number, _SLICES, tuple(sorted(servers))):
            found[side].append(_measure(workers[side], plan.seconds / _SLICES))
    for side, of_side in found.items():
        yield _measurement(reads[side], side, number, of_side)


def measure_one(server: Server, subject: str, read: Read, number: int, plan: Plan) -> Measurement:
    """Measure one subject under one kind of read."""
    with _load(server, read, number, plan) as worker:
        return _measurement(read, subject, number, [_measure(worker, plan.seconds)])


@contextmanager
def _load(server: Server, read: Read, number: int, plan: Plan) -> Iterator[Worker]:
    """Connect a load generator, warmed up and paused."""
    specification: dict[str, Any] = {
        "port": server.port,
        "server_pid": server.pid,
        "kind": read.kind,
        "size": read.size,
        "keys_total": plan.keys,
        "connections": read.connections,
        "entry": read.entry,
        "tokens": list(read.tokens),
        "warm_seconds": WARM_SECONDS,
        "check": True,
        # Every subject of a round gets the same requests.
        "seed": number,
    }
    with Worker("bench.load.http", **specification) as worker:
        worker.receive(_ANSWER_SECONDS_MAX)
        yield worker


def _measure(worker: Worker, seconds: float) -> dict[str, Any]:
    worker.send(seconds=seconds)
    return worker.receive(seconds + _ANSWER_SECONDS_MAX)


def _measurement(read: Read, subject: str, number: int, found: Sequence[Mapping[str, float]]) -> Measurement:
    """Return the measurement of one or more slices; latencies are the medians of theirs."""
    names = ("wall_seconds", "server_cpu_seconds", "load_cpu_seconds")
    used = {name: sum(one[name] for one in found) for name in names}
    requests = sum(one["requests"] for one in found)
    figures = {
        "requests_per_s": requests / used["wall_seconds"],
        "cpu_us_per_request": used["server_cpu_seconds"] / requests * _US,
        **{name: median(one[name] for one in found) for name in ("p50_ms", "p99_ms")},
        **shares(**used),
    }
    return Measurement(read.shape, subject, number, figures, bottleneck(**used))


def _round(servers: Mapping[str, Server], number: int, plan: Plan) -> Iterator[Measurement]:
    for read in READS:
        for subject, server in servers.items():
            say(f"round {number}: {read.shape}, {subject}")
            yield measure_one(server, subject, read, number, plan)


def _start(environment: Environment, plan: Plan, stack: ExitStack) -> dict[str, Server]:
    """Start the three subjects with the same table. The floor reads the file that the service writes."""
    topic = environment.topic("reads", plan.keys, plan.keys)
    database = environment.fresh("reads") / "kvs.db"
    ours = _serve(environment, topic, database, OURS, stack)
    baseline = stack.enter_context(environment.baseline(topic, environment.fresh("reads") / "baseline.db"))
    wait_until_applied(baseline, plan.keys)
    floor = stack.enter_context(environment.floor("reads", database=database))
    wait_until_listening(floor)
    return {FLOOR: floor, OURS: ours, BASELINE: baseline}


def _serve(environment: Environment, topic: str, database: Path, subject: str, stack: ExitStack) -> Server:
    server = stack.enter_context(environment.service(topic, database, subject=subject))
    wait_until_ready(server)
    return server
