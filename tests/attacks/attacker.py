"""A process of attackers: carries out the attacks of each command, together, and sends what they counted."""

import asyncio
import os
from time import perf_counter

from bench.load.worker import Harness, Specification, run
from tests.attacks.data import Table
from tests.attacks.families import ATTACKS
from tests.attacks.target import Target

_POLL_SECONDS = 0.05
_NICENESS = 10


async def work(harness: Harness, specification: Specification) -> None:
    """Carry out one command after another."""
    table = Table(**specification.pop("table"))
    harness.send(event="ready")
    while True:
        command = await harness.receive()
        targets = [Target(**specification, table=table, scale=command["scale"]) for _ in command["attacks"]]
        pairs = zip(command["attacks"], targets, strict=True)
        await asyncio.gather(*(_attack(name, target, **command["limits"]) for name, target in pairs))
        harness.send(tallies=[target.tally.as_message() for target in targets])


async def _attack(name: str, target: Target, seconds: float, reach_seconds_max: float) -> None:
    """Carry out an attack; once the service has noticed it, or the time for that is over, for some seconds more."""
    attack, began = ATTACKS[name], perf_counter()
    working = asyncio.ensure_future(attack.work(target))
    while not (working.done() or attack.noticed(target.tally) or perf_counter() - began > reach_seconds_max):
        await asyncio.wait([working], timeout=_POLL_SECONDS)
    await asyncio.wait([working], timeout=seconds)
    working.cancel()
    try:
        await working
    except asyncio.CancelledError:
        pass
    except (OSError, EOFError):
        target.tally.outcomes["closed"] += 1
    finally:
        target.end()


if __name__ == "__main__":
    # Elsewhere, attackers have processors of their own; here, the service and the canary come first.
    os.nice(_NICENESS)
    run(work)
