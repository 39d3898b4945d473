"""Canaries for what this project knows of orjson without a promise."""

import tracemalloc
from collections.abc import Callable

import orjson

from kvs_graphql.compat.orjson import compact

NUMBER = 1_000


def bytes_of_each(make: Callable[[], bytes]) -> float:
    """How much memory a result takes."""
    tracemalloc.start()
    try:
        kept = [make() for _ in range(NUMBER)]
        return tracemalloc.get_traced_memory()[0] / len(kept)
    finally:
        tracemalloc.stop()


def test_results_hold_more_memory_than_they_need() -> None:
    assert bytes_of_each(lambda: orjson.dumps([1])) > 1_000, "orjson shrinks its results: compact() has no use any more"


def test_compacted_results_hold_only_what_they_need() -> None:
    assert compact(orjson.dumps([1])) == b"[1]"
    assert bytes_of_each(lambda: compact(orjson.dumps([1]))) < 100
