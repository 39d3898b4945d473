"""One attack from its start to its figures."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.process_stats import cpu_seconds, peak_rss_bytes, reset_peak_rss, rss_bytes
from bench.processes import Server, Worker
from tests.attacks.bounds import KEPT_MIB_MAX, Figures, Latencies
from tests.attacks.tally import Tally

_MIB = 2**20
_POLL_SECONDS = 0.5
_GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How large attacks are, and how long everything takes."""

    scale: float
    reach_seconds_max: float
    """How long it may take until the service has noticed an attack."""
    seconds: float
    """How long an attack takes from then on, at most."""
    rest_seconds: float
    """How long the canary goes on after an attack."""
    answer_seconds_max: float
    """How long the canary then waits for answers."""
    release_seconds_max: float
    """How long the service may take to release memory."""


FULL = Plan(
    scale=1.0,
    reach_seconds_max=10.0,
    seconds=6.0,
    rest_seconds=1.0,
    answer_seconds_max=20.0,
    release_seconds_max=60.0,
)
SHORT = Plan(
    scale=0.1,
    reach_seconds_max=30.0,
    seconds=0.5,
    rest_seconds=0.1,
    answer_seconds_max=60.0,
    release_seconds_max=0.0,
)


@dataclass(frozen=True, slots=True)
class Assault:
    """Attacks that are carried out together."""

    family: str
    name: str
    attacks: Sequence[str]


def carry_out(assault: Assault, service: Server, canary: Worker, attackers: Sequence[Worker], plan: Plan) -> Figures:
    """Carry out attacks together, divided among the attackers, and measure what the canary notices."""
    before = rss_bytes(service.pid)
    reset_peak_rss(service.pid)
    canary.send(event="start")
    canary.receive(_GRACE_SECONDS)
    began, used, schedule = time.monotonic(), cpu_seconds(service.pid), _schedule(service.pid)
    for number, attacker in enumerate(attackers):
        mine = assault.attacks[number :: len(attackers)]
        limits = {"seconds": plan.seconds, "reach_seconds_max": plan.reach_seconds_max}
        attacker.send(attacks=mine, scale=plan.scale, limits=limits)
    messages = [attacker.receive(plan.reach_seconds_max + plan.seconds + _GRACE_SECONDS) for attacker in attackers]
    cpu = (cpu_seconds(service.pid) - used) / (time.monotonic() - began)
    ran, waited = (now - then for now, then in zip(_schedule(service.pid), schedule, strict=True))
    time.sleep(plan.rest_seconds)
    canary.send(seconds_max=plan.answer_seconds_max)
    seen = canary.receive(plan.answer_seconds_max + _GRACE_SECONDS)
    alive = _is_ready(service)
    # A service that stands still, and may go on growing, is not waited for.
    after_mib = _after(service, before, plan.release_seconds_max if alive else 0)
    return Figures(
        assault.family,
        assault.name,
        canary=_latencies(seen["service"]),
        control=_latencies(seen["control"]),
        updates=_latencies(seen["updates"]),
        memory_mib=(peak_rss_bytes(service.pid) - before) / _MIB,
        after_mib=after_mib,
        reused=False,
        cpu=cpu,
        starved=waited / (ran + waited),
        tally=Tally.of_messages([tally for message in messages for tally in message["tallies"]]),
        alive=alive,
    )


def with_reuse(first: Figures, repeat: Figures) -> Figures:
    """Return the first figures, and whether the repetition needed no further memory beside what was left."""
    return replace(first, reused=first.after_mib + repeat.memory_mib <= first.memory_mib + KEPT_MIB_MAX)


def _after(service: Server, before: int, seconds_max: float) -> float:
    """Return what a service holds above `before`, once that is little or the time is over."""
    deadline = time.monotonic() + seconds_max
    while (kept := (rss_bytes(service.pid) - before) / _MIB) > KEPT_MIB_MAX and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return kept


def _schedule(pid: int) -> tuple[int, int]:
    """Return for how long a process's main thread ran, and waited for a processor, in nanoseconds: proc(5)."""
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(ran), int(waited)


def _is_ready(service: Server) -> bool:
    answer = service.get("/readyz")
    return answer is not None and answer.status_code == 200


def _latencies(seen: dict[str, Any]) -> Latencies:
    return Latencies(seen.get("p99_ms", 0.0), seen["worst_ms"], int(seen.get("failed", 0)))
