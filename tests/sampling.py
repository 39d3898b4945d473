"""A share of the cases of tests that have many, for runs beside the one on the main version of Python.

`KVS_TEST_CASES_MAX=5` runs at most five cases of each test function, spread evenly over all of them, and of those that
are marked `slow` at most five of each file. Versions of Python begin at different ones, so that they try different
cases.
"""

import os
import sys
from collections import defaultdict
from collections.abc import Sequence

import pytest


def chosen(cases: int, cases_max: int, first: int) -> set[int]:
    """The indexes of at most so many cases, spread evenly; another `first` gives others."""
    if cases <= cases_max:
        return set(range(cases))
    return {(number * cases // cases_max + first) % cases for number in range(cases_max)}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    cases_max = int(os.environ.get("KVS_TEST_CASES_MAX", "0"))
    if cases_max <= 0:
        return
    groups: defaultdict[object, list[pytest.Item]] = defaultdict(list)
    for item in items:
        groups[group_of(item)].append(item)
    kept = {id(item) for cases in groups.values() for item in _of(cases, cases_max)}
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in kept])
    items[:] = [item for item in items if id(item) in kept]


def group_of(item: pytest.Item) -> object:
    """What a test is a case of."""
    return item.path if item.get_closest_marker("slow") else item.nodeid.partition("[")[0]


def _of(cases: Sequence[pytest.Item], cases_max: int) -> list[pytest.Item]:
    return [cases[index] for index in sorted(chosen(len(cases), cases_max, sys.version_info.minor))]
