"""The demo's topic: an embedded broker and a producer of live figures of this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kvs_graphql.demo.broker import AUTO_CREATED_PARTITIONS, EmbeddedBroker
from kvs_graphql.demo.producer import publish_figures


@asynccontextmanager
async def figures_topic(topic: str) -> AsyncIterator[str]:
    """Run a broker whose `topic` receives figures while the context is open; yield its bootstrap servers."""
    async with EmbeddedBroker() as broker:
        broker.create_topic(topic, AUTO_CREATED_PARTITIONS)
        # Not a TaskGroup, which would wrap the caller's exceptions in a group.
        publishing = asyncio.create_task(publish_figures(broker.bootstrap_servers, topic))
        try:
            yield broker.bootstrap_servers
        finally:
            publishing.cancel()
            await asyncio.wait([publishing])
