"""The short form of each attack; `make attacks` carries out all of them in full."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bench.processes import Server, Worker
from tests.attacks.assault import SHORT, Assault, carry_out
from tests.attacks.bounds import ALONE, CONNECTION_MIB
from tests.attacks.data import Table
from tests.attacks.families import ATTACKS
from tests.attacks.stand import open_stand

pytestmark = pytest.mark.slow

TABLE = Table(small=10_000, big=20)


@dataclass(frozen=True)
class Scene:
    """A service, its canary and one attacker, each in a process of its own."""

    service: Server
    canary: Worker
    attacker: Worker


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One service for all attacks: it is not started anew after any of them."""
    with (
        open_stand(tmp_path_factory.mktemp("attacks"), TABLE) as stand,
        stand.service() as service,
        stand.canary(service) as canary,
        stand.attackers(service) as (attacker,),
    ):
        yield Scene(service, canary, attacker)


@pytest.mark.parametrize("name", ATTACKS)
def test_service_answers_others_and_keeps_its_memory_bounded_during_the_attack(name: str, scene: Scene) -> None:
    attack = ATTACKS[name]
    assault = Assault(attack.family, name, [name])
    figures = carry_out(assault, scene.service, scene.canary, [scene.attacker], SHORT)
    tally = figures.tally
    assert attack.noticed(tally), tally
    assert figures.canary.failed == 0
    assert figures.memory_mib < ALONE.memory_mib + tally.open_max * CONNECTION_MIB
    assert figures.alive
