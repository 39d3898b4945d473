"""The command: `python -m tests.attacks`."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import click

from bench.environment import say
from bench.machine import describe, prepare
from bench.report import machine_line
from tests.attacks.assault import FULL, Assault, Plan, carry_out, with_reuse
from tests.attacks.bounds import ALONE, KEPT_MIB_MAX, TOGETHER, Bounds, Figures, best, broken
from tests.attacks.data import Table
from tests.attacks.families import ATTACKS
from tests.attacks.report import answers, line, text
from tests.attacks.stand import Stand, everything, open_stand

TABLE = Table(small=100_000, big=40)
ALL = "all-at-once"
_AT_ONCE, _PROCESSES, _SCALE_AT_ONCE = 64, 8, 0.1


@click.command()
@click.option("--only", type=click.Choice([*ATTACKS, ALL]), multiple=True, help="Only this attack; repeatable.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="The best of so many counts.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=FULL.seconds, help="Seconds of one attack.")
@click.option("--release", type=float, default=FULL.release_seconds_max, help="Seconds in which memory is released.")
def main(only: tuple[str, ...], rounds: int, seconds: float, release: float) -> None:
    """Attack a service with default limits, and print a table. Exit with 1 if an attack breaks a bound."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    prepare(everything())
    machine = describe()
    judged: list[tuple[Figures, Bounds]] = []
    with tempfile.TemporaryDirectory(prefix="kvs-graphql-") as directory, open_stand(Path(directory), TABLE) as stand:
        for name in only or (*ATTACKS, ALL):
            bounds, scale = (TOGETHER, _SCALE_AT_ONCE) if name == ALL else (ALONE, FULL.scale)
            plan = replace(FULL, scale=scale, seconds=seconds, release_seconds_max=release)
            figures = best(list(_rounds(stand, name, bounds, rounds, plan)), bounds)
            say(f"{'  '.join(line(figures, bounds)[1:])}  ({answers(figures)})")
            judged.append((figures, bounds))
    click.echo(text(judged))
    click.echo(machine_line(machine))
    sys.exit(int(any(broken(figures, bounds) for figures, bounds in judged)))


def _rounds(stand: Stand, name: str, bounds: Bounds, rounds: int, plan: Plan) -> Iterator[Figures]:
    """Yield the figures of rounds, up to one that breaks nothing."""
    for _ in range(rounds):
        figures = _round(stand, _assault(name), plan)
        yield figures
        if not broken(figures, bounds):
            return


def _round(stand: Stand, assault: Assault, plan: Plan) -> Figures:
    """Attack a new service; again, if memory was left, to see whether that is reused."""
    together = len(assault.attacks) > 1
    descriptors = None if together else ATTACKS[assault.name].descriptors
    with (
        stand.service(descriptors) as service,
        stand.canary(service) as canary,
        stand.attackers(service, _PROCESSES if together else 1) as attackers,
    ):
        figures = carry_out(assault, service, canary, attackers, plan)
        if figures.alive and figures.after_mib > KEPT_MIB_MAX:
            repetition = carry_out(assault, service, canary, attackers, replace(plan, release_seconds_max=0))
            figures = with_reuse(figures, repetition)
        if not figures.alive:
            # It would take its time to stop.
            os.kill(service.pid, signal.SIGKILL)
    return figures


def _assault(name: str) -> Assault:
    if name != ALL:
        return Assault(ATTACKS[name].family, name, [name])
    # The others need a service that may open few files.
    usual = [name for name, attack in ATTACKS.items() if attack.descriptors is None]
    return Assault("all", name, list(islice(cycle(usual), _AT_ONCE)))


if __name__ == "__main__":
    main()
