"""Seeded simulations: real consumers, stores and watches on a simulated cluster, with limits of 1 and much that fails.

A failure names its seed; `KVS_SIMULATION_SEEDS=100-200` runs other seeds, or more.
"""

import os
from pathlib import Path
from random import Random

import pytest

from tests.simulation.scenario import simulate
from tests.simulation.world import run

_FIRST, _LAST = map(int, os.environ.get("KVS_SIMULATION_SEEDS", "0-60").split("-"))


@pytest.mark.parametrize("seed", range(_FIRST, _LAST))
def test_clients_see_what_the_log_says_whatever_happens(seed: int, tmp_path: Path) -> None:
    run(simulate(Random(seed), tmp_path, table="orders" if seed % 2 else ""))
