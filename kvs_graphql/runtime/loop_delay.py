"""How late the event loop is: measured all the time, since nothing else shows that something holds it up."""

import asyncio

from kvs_graphql.metrics import Metrics

_SECONDS = 0.1


async def measure_loop_delay(metrics: Metrics) -> None:
    """Observe, ten times a second, by how much a short sleep takes too long. Without end."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _SECONDS
        await asyncio.sleep(_SECONDS)
        metrics.loop_delay.observe(max(0.0, loop.time() - due))
