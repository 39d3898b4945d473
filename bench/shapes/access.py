"""What it costs to know who asks: JWTs and grants, beside the same service without them, which is the floor here."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.environment import Environment, say, wait_until_ready
from bench.failures import record_failures
from bench.measure import FLOOR, OURS, Measurement, turns
from bench.plan import Plan
from bench.processes import ProcessFailed, Server
from bench.shapes.fanout import (
    AT_ONCE_TICKS_PER_SECOND,
    SAME,
    SLICES,
    Subject,
    flat_out_figures,
    measurement_of,
    run_slices,
    subscribed,
    updates_at_once,
)
from bench.shapes.reads import ONE, measure_pair
from bench.sources import kafka_source
from tests.auth.issuer import AUDIENCE, ISSUER, Issuer, write_keys

ONE_EACH = "one key, a JWT each"
SAME_KEYS_EACH = "1,000 subscribers, a JWT each, same keys, flat out"

BOUNDS = {ONE_EACH: 1.10, SAME_KEYS_EACH: 1.05}
"""The greatest ratio of each shape's cost to that of the service without principals."""

_SUBJECTS = (FLOOR, OURS)
_PRINCIPALS = 1_000
_OPERATOR = "operator"
_GRANTS = f"""
[[grants]]
to = ["*"]
verbs = ["read"]
prefixes = ["key-"]

[[grants]]
to = ["sub:{_OPERATOR}"]
verbs = ["status"]
"""
_RENDERINGS = re.compile(rb"^kvs_renderings_total (\S+)$", re.MULTILINE)


class Principals:
    """An issuer, the tokens of many principals with equal grants, and the settings of a service that knows them."""

    def __init__(self, directory: Path) -> None:
        issuer = Issuer()
        self.tokens = [issuer.token(sub=f"user-{number}") for number in range(_PRINCIPALS)]
        self.operator = issuer.token(sub=_OPERATOR)
        keys = write_keys(directory / "keys.json", issuer.jwk())
        self.settings: dict[str, Any] = {
            "jwt_issuer": ISSUER,
            "jwt_audience": AUDIENCE,
            "jwt_jwks_file": keys,
            "configuration": _GRANTS,
        }


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure reads and fan-out with and without principals, in alternating slices."""
    principals = Principals(environment.fresh("issuer"))
    with ExitStack() as stack:
        subjects = {name: _subject(environment, principals, name, plan, stack) for name in _SUBJECTS}
        for number in range(1, plan.rounds + 1):
            # First, so that every token has been verified once before reads are measured.
            yield from record_failures(SAME_KEYS_EACH, OURS, number, _fanout(subjects, principals, number, plan))
            yield from record_failures(ONE_EACH, OURS, number, _reads(subjects, number, plan))


def _reads(subjects: dict[str, Subject], number: int, plan: Plan) -> Iterator[Measurement]:
    say(f"round {number}: {ONE_EACH}")
    servers = {name: subjects[name].server for name in turns(number, _SUBJECTS)}
    reads = {name: replace(ONE, shape=ONE_EACH, tokens=one.tokens) for name, one in subjects.items()}
    yield from measure_pair(servers, reads, number, plan)


def _fanout(subjects: dict[str, Subject], principals: Principals, number: int, plan: Plan) -> Iterator[Measurement]:
    say(f"round {number}: {SAME_KEYS_EACH}")
    ours = subjects[OURS].server
    with ExitStack() as stack:
        opened = {name: stack.enter_context(subscribed(subjects[name], SAME)) for name in turns(number, _SUBJECTS)}
        seconds = plan.seconds / SLICES
        # Both get the same work, however fast each is.
        updates = min(updates_at_once(subscriptions, seconds) for subscriptions in opened.values())
        before = _renderings(ours, principals)
        received = dict(run_slices(opened, number, updates, 1, AT_ONCE_TICKS_PER_SECOND))
        renderings = (_renderings(ours, principals) - before) / (updates * SLICES)
    for name, of_subject in received.items():
        figures = flat_out_figures(of_subject)
        if name == OURS:
            figures["renderings_per_update"] = renderings
        yield measurement_of(SAME_KEYS_EACH, name, number, of_subject, figures)


def _subject(environment: Environment, principals: Principals, name: str, plan: Plan, stack: ExitStack) -> Subject:
    """Start a service with a topic of its own, so that one is idle while the other works."""
    topic = environment.topic(f"access-{name}", plan.keys, plan.keys)
    source = stack.enter_context(kafka_source(environment.broker.bootstrap_servers, topic))
    settings = principals.settings if name == OURS else {}
    server = stack.enter_context(environment.service(topic, environment.fresh("access") / "kvs.db", **settings))
    wait_until_ready(server)
    return Subject(name, server, source, tokens=principals.tokens if name == OURS else ())


def _renderings(server: Server, principals: Principals) -> float:
    answer = server.get("/metrics", principals.operator)
    found = None if answer is None else _RENDERINGS.search(answer.content)
    if found is None:
        raise ProcessFailed("the service does not tell how many updates it has rendered")
    return float(found[1])
