"""How cost grows with the keys of the table, the connections, the keys of a request, and the watches."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from statistics import median

from bench.data import key, value
from bench.environment import Environment, say, wait_until_listening, wait_until_ready
from bench.growth import Growth
from bench.measure import FLOOR, OURS
from bench.plan import Plan
from bench.processes import Server
from bench.shapes.reads import ONE, Read, measure_one
from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.feed import Feed, LogBudget
from kvs_graphql.records import Commit, Interest, Record

TABLE_KEYS = (10_000, 100_000, 1_000_000)
CONNECTIONS = (1, 16, 256)
REQUEST_KEYS = (10, 100, 1_000)
WATCHES = (10, 1_000, 100_000)

Costs = dict[str, dict[int, float]]

_MANY_CONNECTIONS = 4
_CPU = "cpu_us_per_request"
_COMMITS = 2_000
_CHANGES_PER_COMMIT = 10
_LOG_CHANGES_MAX = 1_000
_BYTES_MAX = 2**24
_US = 1_000_000


def measure(environment: Environment, plan: Plan) -> Iterator[Growth]:
    """Measure every growth, of ours and of the floor where there is one."""
    yield from _with_table(environment, plan)
    middle = replace(plan, keys=TABLE_KEYS[1])
    with ExitStack() as stack:
        subjects = _start(environment, middle, stack)
        connections = {count: Read("one key", "one", 1, count) for count in CONNECTIONS}
        yield from _growths("one key", "connections", _costs(subjects, middle, "connections", connections))
        requests = {count: Read("many keys", "many", count, _MANY_CONNECTIONS) for count in REQUEST_KEYS}
        yield from _growths("many keys", "keys per request", _costs(subjects, middle, "keys per request", requests))
    costs = {count: median(_publish(count) for _ in range(plan.rounds)) for count in WATCHES}
    yield Growth("an unwatched change, µs (in process)", "watches", costs)


def _with_table(environment: Environment, plan: Plan) -> Iterator[Growth]:
    costs: Costs = {FLOOR: {}, OURS: {}}
    for keys in TABLE_KEYS:
        sized = replace(plan, keys=keys)
        with ExitStack() as stack:
            subjects = _start(environment, sized, stack)
            found = _costs(subjects, sized, "keys in the table", {keys: ONE})
            for subject, by_size in found.items():
                costs[subject].update(by_size)
    yield from _growths("one key", "keys in the table", costs)


def _growths(what: str, of: str, costs: Costs) -> Iterator[Growth]:
    for subject, by_size in costs.items():
        yield Growth(f"{what}, server CPU µs per request, {subject}", of, by_size)


def _costs(subjects: dict[str, Server], plan: Plan, of: str, reads: Mapping[int, Read]) -> Costs:
    """Return the median processor time of a request at each size, with the floor and ours in turn."""
    found: dict[str, dict[int, list[float]]] = {subject: {size: [] for size in reads} for subject in subjects}
    for number in range(1, plan.rounds + 1):
        for size, read in reads.items():
            for subject, server in subjects.items():
                say(f"round {number}: {read.shape}, {size:,} {of}, {subject}")
                found[subject][size].append(measure_one(server, subject, read, number, plan).figures[_CPU])
    return {subject: {size: median(values) for size, values in by_size.items()} for subject, by_size in found.items()}


def _start(environment: Environment, plan: Plan, stack: ExitStack) -> dict[str, Server]:
    """Start the floor and ours on one table."""
    name = f"scaling-{environment.number()}"
    topic = environment.topic(name, plan.keys, plan.keys)
    database = environment.fresh(name) / "kvs.db"
    ours = stack.enter_context(environment.service(topic, database))
    wait_until_ready(ours)
    floor = stack.enter_context(environment.floor("reads", database=database))
    wait_until_listening(floor)
    return {FLOOR: floor, OURS: ours}


def _publish(watches: int) -> float:
    """Return the microseconds that publishing a change costs while other keys are watched."""
    say(f"publishing to {watches:,} watches")
    feed = Feed(Cursor(NO_TOPIC_ID, (0,)), LogBudget(changes_max=_LOG_CHANGES_MAX, bytes_max=_BYTES_MAX))
    with ExitStack() as stack:
        for number in range(watches):
            stack.enter_context(feed.watch(Interest(keys=frozenset([b"watched-" + key(number)])), (0,)))
        commits = [_commit(number) for number in range(_COMMITS)]
        began = time.process_time()
        for commit in commits:
            feed.publish(commit)
        return (time.process_time() - began) / (_COMMITS * _CHANGES_PER_COMMIT) * _US


def _commit(number: int) -> Commit:
    start = number * _CHANGES_PER_COMMIT
    end = start + _CHANGES_PER_COMMIT
    changes = [Record(key(offset), value(offset), 0, offset, None, None) for offset in range(start, end)]
    return Commit((start,), (end,), changes, sum(change.size_bytes for change in changes))
