"""The demo's topic: an embedded broker, and a producer that keeps this machine's figures in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kvs_graphql.demo.broker import AUTO_CREATED_PARTITIONS, EmbeddedBroker
from kvs_graphql.demo.producer import publish_figures


@asynccontextmanager
async def figures_topic(topic: str) -> AsyncIterator[str]:
    """The bootstrap servers of a broker whose `topic` fills with figures while the context is open."""
    async with EmbeddedBroker() as broker:
        broker.create_topic(topic, AUTO_CREATED_PARTITIONS)
        # Not a TaskGroup: it would wrap what the caller raises within.
        publishing = asyncio.create_task(publish_figures(broker.bootstrap_servers, topic))
        try:
            yield broker.bootstrap_servers
        finally:
            publishing.cancel()
            await asyncio.wait([publishing])
