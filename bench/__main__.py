"""The command: `python -m bench`."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click

from bench.checkout import UnknownCommit, checkout, describe_commit
from bench.comparison import broken, compare, comparison_text, write_comparison
from bench.environment import Environment, open_environment
from bench.failures import record_failures
from bench.intervals import PAIRS_MIN
from bench.machine import describe, divide, prepare
from bench.measure import BASE, FLOOR, Measurement, failed
from bench.page import write_page
from bench.plan import COMPARISON, FULL, SHORT, Plan
from bench.prices import measure_all, prices_text, write_prices
from bench.processes import ROOT
from bench.report import growth_lines, notes, text, write_growths, write_results
from bench.shapes import access, catchup, fanout, live, memory, reads, restart, scaling, typed

Part = Callable[[Environment, Plan], Iterator[Measurement]]

PARTS: dict[str, Part] = {
    "reads": reads.measure,
    "fanout": fanout.measure,
    "catchup": catchup.measure,
    "live": live.measure,
    "restart": restart.measure,
    "memory": memory.measure,
    "typed": typed.measure,
    "access": access.measure,
}
# The parts whose cost is processor time per unit of work.
COMPARED: dict[str, Part] = {
    "reads": reads.compare,
    "fanout": fanout.compare,
    "catchup": catchup.compare,
    "live": live.compare,
}


@click.group()
def main() -> None:
    """Measure the service beside its floors and a baseline."""
    # So that files and processes are cleaned up as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


_ROUNDS = click.option("--rounds", type=click.IntRange(min=1), help="How many rounds.")
_SECONDS = click.option("--seconds", type=click.FloatRange(min=0.1), help="Seconds of one measurement.")
_SHORT = click.option("--short", is_flag=True, help="Measure less, in about two minutes.")


@main.command()
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="Measure only this part; repeatable.")
@_ROUNDS
@_SECONDS
@_SHORT
def run(only: tuple[str, ...], rounds: int | None, seconds: float | None, short: bool) -> None:
    """Measure, print a table, and write it to bench/results. Exit with 1 if something failed."""
    machine, measurements = _measure(PARTS, only, _plan(rounds, seconds, short=short))
    click.echo(text(measurements))
    write_results(machine, measurements)
    sys.exit(int(failed(measurements)))


@main.command("compare")
@click.argument("base")
@click.option("--only", type=click.Choice(list(COMPARED)), multiple=True, help="Compare only this part; repeatable.")
@click.option("--pairs", type=click.IntRange(min=PAIRS_MIN), default=COMPARISON.rounds, show_default=True)
@_SECONDS
@click.option("--bound", type=float, default=1.05, show_default=True, help="The greatest ratio that is acceptable.")
def compare_trees(base: str, only: tuple[str, ...], pairs: int, seconds: float | None, bound: float) -> None:
    """Compare this tree with the commit BASE by processor time per unit of work, in alternating pairs.

    Print a table, and write it to bench/results. Exit with 1 if an interval lies wholly above the bound, or if
    something failed.
    """
    try:
        described = describe_commit(base)
    except UnknownCommit as unknown:
        raise click.BadParameter(str(unknown), param_hint="BASE") from unknown
    plan = replace(COMPARISON, rounds=pairs, seconds=seconds or COMPARISON.seconds)
    with checkout(base) as tree:
        machine, measurements = _measure(COMPARED, only, plan, tree)
    comparisons = compare(measurements)
    click.echo(comparison_text(comparisons, measurements, bound))
    write_comparison(machine, described, comparisons, measurements, bound)
    sys.exit(int(broken(comparisons, bound) or failed(measurements)))


@main.command("access")
@click.option("--pairs", type=click.IntRange(min=PAIRS_MIN), default=COMPARISON.rounds, show_default=True)
@_SECONDS
def compare_access(pairs: int, seconds: float | None) -> None:
    """Compare the service with JWTs and grants with itself without, in alternating pairs. Exit as `compare` does.

    The base is the service without; each shape has a bound of its own.
    """
    plan = replace(COMPARISON, rounds=pairs, seconds=seconds or COMPARISON.seconds)
    _, measurements = _measure(PARTS, ("access",), plan)
    sides = [replace(one, subject=BASE) if one.subject == FLOOR else one for one in measurements]
    found = [([one for one in compare(sides) if one.shape == shape], bound) for shape, bound in access.BOUNDS.items()]
    for comparisons, bound in found:
        click.echo(comparison_text(comparisons, [], bound))
    click.echo("\n".join(notes(measurements)))
    sys.exit(int(any(broken(comparisons, bound) for comparisons, bound in found) or failed(measurements)))


@main.command("scaling")
@_ROUNDS
@_SECONDS
@_SHORT
def measure_scaling(rounds: int | None, seconds: float | None, short: bool) -> None:
    """Measure how cost grows with keys, connections and watches."""
    plan = _plan(rounds, seconds, short=short)
    machine, processors = describe(), divide()
    prepare(processors)
    with open_environment(processors) as environment:
        growths = list(scaling.measure(environment, plan))
    click.echo("\n".join(growth_lines(growths)))
    write_growths(machine, growths)


@main.command("prices")
@click.option("--repetitions", type=click.IntRange(min=1), default=15, show_default=True, help="The fastest counts.")
def show_prices(repetitions: int) -> None:
    """Measure what a unit of each limit on operations takes, and print a table."""
    machine, priced = describe(), measure_all(repetitions)
    click.echo(prices_text(priced))
    write_prices(machine, priced)


@main.command("document")
def document() -> None:
    """Write the last results into docs/performance.md, with plots."""
    for path in write_page():
        click.echo(path)


def _measure(
    parts: Mapping[str, Part], only: tuple[str, ...], plan: Plan, base: Path = ROOT
) -> tuple[dict[str, str], list[Measurement]]:
    """Measure some parts, or all; return the machine and the measurements."""
    machine, processors = describe(), divide()
    prepare(processors)
    measurements: list[Measurement] = []
    with open_environment(processors, base) as environment:
        for part in only or parts:
            found = record_failures(part, "the rest of this part", 0, parts[part](environment, plan))
            measurements.extend(found)
    return machine, measurements


def _plan(rounds: int | None, seconds: float | None, *, short: bool) -> Plan:
    plan = SHORT if short else FULL
    return replace(plan, rounds=rounds or plan.rounds, seconds=seconds or plan.seconds)


if __name__ == "__main__":
    main()
