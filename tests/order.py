"""Another order of the tests, for runs that look for tests which depend on others.

`KVS_TEST_ORDER=17` shuffles the files, and the tests in each of them; 17 gives the same order again.
"""

import os
from random import Random

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seed = os.environ.get("KVS_TEST_ORDER")
    if seed is not None:
        items[:] = shuffled(items, int(seed))


def shuffled(items: list[pytest.Item], seed: int) -> list[pytest.Item]:
    """The tests of each file stay together, those that are marked `last` at its end."""
    random = Random(seed)
    files = {path: random.random() for path in sorted({item.path for item in items})}
    tests = {name: random.random() for name in sorted(item.nodeid for item in items)}
    return sorted(
        items, key=lambda item: (files[item.path], item.get_closest_marker("last") is not None, tests[item.nodeid])
    )
