"""What holds up the event loop shows in a metric."""

import asyncio
import time

from prometheus_client.parser import text_string_to_metric_families

from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.loop_delay import measure_loop_delay


def delays(metrics: Metrics) -> dict[str, float]:
    samples = [s for family in text_string_to_metric_families(metrics.render().decode()) for s in family.samples]
    return {
        "measured": next(s.value for s in samples if s.name == "kvs_loop_delay_seconds_count"),
        "sum": next(s.value for s in samples if s.name == "kvs_loop_delay_seconds_sum"),
    }


async def test_time_in_which_nothing_else_could_run_is_measured() -> None:
    metrics = Metrics()
    measuring = asyncio.create_task(measure_loop_delay(metrics))
    await asyncio.sleep(0)
    time.sleep(1)  # noqa: ASYNC251 - it holds up the event loop
    while not delays(metrics)["measured"]:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0.01)
    measuring.cancel()
    assert delays(metrics)["sum"] >= 0.9
