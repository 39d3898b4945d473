"""A restart with a complete table and nothing new to read."""

import time
from collections.abc import Callable, Iterator

from bench.data import key
from bench.environment import Environment, say, wait_until_applied, wait_until_ready
from bench.measure import BASELINE, FLOOR, OURS, Measurement
from bench.plan import Plan
from bench.processes import Server
from bench.queries import one

RESTART = "restart"


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure each subject in turn from the start of its process."""
    say(f"restart: a table of {plan.restart_keys:,} keys")
    topic = environment.topic("restart", plan.restart_keys, plan.restart_keys)
    database, baseline_database = environment.fresh("restart") / "kvs.db", environment.fresh("restart") / "baseline.db"
    with environment.service(topic, database, all_processors=True) as server:
        wait_until_ready(server)
    if plan.thorough:
        with environment.baseline(topic, baseline_database, RESTART) as server:
            wait_until_applied(server, plan.restart_keys)
    for number in range(1, plan.rounds + 1):
        yield _answering(FLOOR, number, lambda: environment.floor("reads", database=database))
        yield _answering(OURS, number, lambda: environment.service(topic, database))
        if plan.thorough:
            yield _answering(BASELINE, number, lambda: environment.baseline(topic, baseline_database, RESTART))


def _answering(subject: str, number: int, start: Callable[[], Server]) -> Measurement:
    say(f"round {number}: {RESTART}, {subject}")
    began = time.perf_counter()
    with start() as server:
        server.wait_until(lambda: _answers(server), "an answer")
        figures = {"answers_after_s": time.perf_counter() - began}
        if subject == OURS:
            wait_until_ready(server)
            figures["ready_after_s"] = time.perf_counter() - began
    return Measurement(RESTART, subject, number, figures)


def _answers(server: Server) -> bool:
    answer = server.query(one(), key=key(0).decode())
    return answer is not None and answer["data"]["value"] is not None
