"""Results as JSON."""

import tracemalloc

import orjson

from kvs_graphql.budget import Budget, Workload
from kvs_graphql.executor.encoding import encode_result, encoded_in_turns
from tests.applications import BUDGET_LIMITS

KIB = 1024


async def test_result_of_many_small_parts_takes_about_as_much_memory_as_it_has_bytes() -> None:
    data = {"list": [{"number": number} for number in range(10_000)]}
    tracemalloc.start()
    try:
        encoded = encode_result(await encoded_in_turns(data, Budget(Workload(BUDGET_LIMITS))), [])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert orjson.loads(encoded) == {"data": data}
    assert peak < 4 * len(encoded) + 100 * KIB
