"""Memory: the cost of idle subscriptions, and a client that stops reading."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from bench.environment import Environment, say, wait_until_applied, wait_until_listening, wait_until_ready
from bench.failures import record_failures
from bench.load.deliveries import Wanted
from bench.load.transports import BARE_WEBSOCKET, WEBSOCKET
from bench.measure import BASELINE, FLOOR, OURS, Measurement
from bench.plan import Plan
from bench.process_stats import peak_rss_bytes, reset_peak_rss, rss_bytes
from bench.processes import Server
from bench.sources import BareSource, KafkaSource, Source, kafka_source
from bench.subscriptions import open_subscriptions, wait_until_idle

HUNDRED_PER_WEBSOCKET = "idle subscriptions, 100 per WebSocket"
ONE_PER_WEBSOCKET = "idle subscriptions, one per WebSocket"
STALLED = "a client that stops reading"

_KIB, _MIB = 2**10, 2**20
_STALLED_KEYS = 10
_PAYLOAD_BYTES = 300
_NOT_LATEST = "the client did not end with the latest values"
_ONE = Wanted(1, 0, 1, same=False)

Started = tuple[Server, Source]
Start = Callable[[], AbstractContextManager[Started]]


def measure(environment: Environment, plan: Plan) -> Iterator[Measurement]:
    """Measure idle subscriptions of every subject, each time in a new process; then a client of ours that stalls."""
    topic = environment.topic("memory", plan.keys, plan.keys)
    with kafka_source(environment.broker.bootstrap_servers, topic) as source:
        starts: dict[str, Start] = {
            FLOOR: partial(_floor, environment),
            OURS: partial(_ours, environment, topic, source),
            BASELINE: partial(_baseline, environment, topic, source, plan),
        }
        for number in range(1, plan.rounds + 1):
            # One round of the baseline is enough: it takes a minute to open so many.
            served = (OURS, BASELINE) if plan.thorough and number == 1 else (OURS,)
            for subject in served:
                found = _idle(starts[subject], HUNDRED_PER_WEBSOCKET, subject, number, plan.idle_subscriptions, 100)
                yield from record_failures(HUNDRED_PER_WEBSOCKET, subject, number, found)
            for subject in (FLOOR, *served):
                found = _idle(starts[subject], ONE_PER_WEBSOCKET, subject, number, plan.idle_sockets, 1)
                yield from record_failures(ONE_PER_WEBSOCKET, subject, number, found)
            yield from record_failures(STALLED, OURS, number, _stalled(starts[OURS], number, plan))


@contextmanager
def _ours(environment: Environment, topic: str, source: KafkaSource) -> Iterator[Started]:
    with environment.service(topic, environment.fresh("memory") / "kvs.db") as server:
        wait_until_ready(server)
        yield server, source


@contextmanager
def _baseline(environment: Environment, topic: str, source: KafkaSource, plan: Plan) -> Iterator[Started]:
    with environment.baseline(topic, environment.fresh("memory") / "baseline.db") as server:
        wait_until_applied(server, plan.keys)
        yield server, source


@contextmanager
def _floor(environment: Environment) -> Iterator[Started]:
    with environment.floor("sends", payload_bytes=_PAYLOAD_BYTES) as server:
        wait_until_listening(server)
        yield server, BareSource(server)


def _idle(
    start: Start, shape: str, subject: str, number: int, subscriptions: int, per_connection: int
) -> Iterator[Measurement]:
    """Measure what subscriptions add to the process, and check that each of them receives updates."""
    say(f"round {number}: {shape}, {subject}")
    transport = BARE_WEBSOCKET if subject == FLOOR else WEBSOCKET
    with start() as (server, source):
        # What a process loads for its first subscription is not part of the cost of each.
        with open_subscriptions(server, source, _ONE, transport=transport) as first:
            first.warm_up()
        before = rss_bytes(server.pid)
        wanted = Wanted(subscriptions, 0, 1, same=False)
        with open_subscriptions(server, source, wanted, transport=transport, per_connection=per_connection) as opened:
            cost = (rss_bytes(server.pid) - before) / subscriptions / _KIB
            opened.warm_up()
        yield Measurement(shape, subject, number, {"kib_per_subscription": cost})


def _stalled(start: Start, number: int, plan: Plan) -> Iterator[Measurement]:
    """Measure memory before, during and after a stall; a first stall of the same size warms the process up."""
    say(f"round {number}: {STALLED}")
    rss: dict[str, float] = {}
    with start() as (server, source):

        def during() -> None:
            wait_until_idle(server)
            rss["peak_rss_mib"] = peak_rss_bytes(server.pid) / _MIB

        with open_subscriptions(server, source, Wanted(1, 0, _STALLED_KEYS, same=True)) as opened:
            opened.run_stalled(plan.stalled_updates, lambda: None)
            wait_until_idle(server)
            rss["rss_before_mib"] = rss_bytes(server.pid) / _MIB
            reset_peak_rss(server.pid)
            taken = opened.run_stalled(plan.stalled_updates, during)
        rss["rss_after_mib"] = rss_bytes(server.pid) / _MIB
    converged = taken["least_latest"] == plan.stalled_updates // _STALLED_KEYS - 1
    yield Measurement(STALLED, OURS, number, rss, () if converged else (_NOT_LATEST,))
