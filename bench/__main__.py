"""The command: `python -m bench`."""

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import click

from bench.environment import Environment, open_environment
from bench.failures import record_failures
from bench.machine import describe, divide, settle
from bench.measure import Measurement, failed
from bench.page import write_document
from bench.plan import FULL, SHORT, Plan
from bench.report import growth_lines, text, write_growths, write_results
from bench.shapes import catchup, fanout, live, memory, reads, restart, scaling

PARTS: dict[str, Callable[[Environment, Plan], Iterator[Measurement]]] = {
    "reads": reads.measure,
    "fanout": fanout.measure,
    "catchup": catchup.measure,
    "live": live.measure,
    "restart": restart.measure,
    "memory": memory.measure,
}


@click.group()
def main() -> None:
    """Measure the service beside the floors and a baseline's version."""
    # So that files and processes are cleaned up as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """What both kinds of measurement take."""
    for option in (
        click.option("--short", is_flag=True, help="Under two minutes."),
        click.option("--seconds", type=click.FloatRange(min=0.1), help="Seconds of one measurement."),
        click.option("--rounds", type=click.IntRange(min=1), help="How many rounds."),
    ):
        command = option(command)
    return command


@main.command()
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="Measure this part alone; may be repeated.")
@_options
def run(only: tuple[str, ...], rounds: int | None, seconds: float | None, short: bool) -> None:
    """Measure, print a table, and leave Markdown and JSON in bench/results. Ends with 1 if something failed."""
    plan = _plan(rounds, seconds, short=short)
    machine, processors = describe(), divide()
    settle(processors)
    measurements: list[Measurement] = []
    with open_environment(processors) as environment:
        for part in only or PARTS:
            measurements.extend(record_failures(part, "what was left of it", 0, PARTS[part](environment, plan)))
    click.echo(text(measurements))
    write_results(machine, measurements)
    sys.exit(int(failed(measurements)))


@main.command("scaling")
@_options
def measure_scaling(rounds: int | None, seconds: float | None, short: bool) -> None:
    """Measure how cost grows with keys, connections and watches."""
    plan = _plan(rounds, seconds, short=short)
    machine, processors = describe(), divide()
    settle(processors)
    with open_environment(processors) as environment:
        growths = list(scaling.measure(environment, plan))
    click.echo("\n".join(growth_lines(growths)))
    write_growths(machine, growths)


@main.command()
def document() -> None:
    """Write what was measured last into docs/performance.md, with plots."""
    for path in write_document():
        click.echo(path)


def _plan(rounds: int | None, seconds: float | None, *, short: bool) -> Plan:
    plan = SHORT if short else FULL
    return replace(plan, rounds=rounds or plan.rounds, seconds=seconds or plan.seconds)


if __name__ == "__main__":
    main()
