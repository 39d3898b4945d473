"""The command: `python -m bench`."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import click

from bench.ground import Ground, open_ground
from bench.machine import describe, divide, settle
from bench.measure import Measurement
from bench.plan import FULL, SHORT, Plan
from bench.report import text, write_results
from bench.shapes import catchup, fanout, live, memory, reads, restart

PARTS: dict[str, Callable[[Ground, Plan], Iterator[Measurement]]] = {
    "reads": reads.measure,
    "fanout": fanout.measure,
    "catchup": catchup.measure,
    "live": live.measure,
    "restart": restart.measure,
    "memory": memory.measure,
}


@click.group()
def main() -> None:
    """Measure the service beside the bare limits and a newcomer's version."""


@main.command()
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="Measure this part alone; may be repeated.")
@click.option("--rounds", type=click.IntRange(min=1), help="How many rounds.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Seconds of one measurement.")
@click.option("--short", is_flag=True, help="Under two minutes.")
def run(only: tuple[str, ...], rounds: int | None, seconds: float | None, short: bool) -> None:
    """Measure, print a table, and leave Markdown and JSON in bench/results."""
    plan = SHORT if short else FULL
    plan = replace(plan, rounds=rounds or plan.rounds, seconds=seconds or plan.seconds)
    machine, processors = describe(), divide()
    settle(processors)
    measurements: list[Measurement] = []
    with open_ground(processors) as ground:
        for part in only or PARTS:
            measurements.extend(PARTS[part](ground, plan))
    click.echo(text(measurements))
    write_results(machine, measurements)


if __name__ == "__main__":
    main()
