"""Compares the service's table, key by key, with an independent reading of the topic."""

import asyncio
from typing import Any, Protocol

from kvs_graphql.records import Positions
from tests.kafka.broker import KafkaBroker
from tests.kafka.truth import Truth, read_truth

_ENTRIES = """
query Page($after: String) {
  entries(first: 1000, after: $after) {
    edges { node { key(encoding: HEX) value(encoding: HEX) partition offset } }
    pageInfo { hasNextPage endCursor }
  }
}
"""


class Service(Protocol):
    """A running service, in this process or in one of its own."""

    async def data(self, document: str, **variables: Any) -> Any:
        """The data of an answer without errors."""

    async def applied(self, positions: Positions) -> None:
        """Return once everything below those positions is applied."""


async def table(served: Service) -> dict[bytes, tuple[bytes, int, int]]:
    """Every entry, read through GraphQL: key to value, partition, offset."""
    found: dict[bytes, tuple[bytes, int, int]] = {}
    after = None
    while True:
        page = (await served.data(_ENTRIES, after=after))["entries"]
        for edge in page["edges"]:
            node = edge["node"]
            found[bytes.fromhex(node["key"])] = (bytes.fromhex(node["value"]), node["partition"], node["offset"])
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


def expected(truth: Truth) -> dict[bytes, tuple[bytes, int, int]]:
    return {
        key: (last.value, last.partition, last.offset) for key, last in truth.table.items() if last.value is not None
    }


async def assert_equal_to_the_log(served: Service, broker: KafkaBroker, topic: str) -> Truth:
    """Wait for the end of the topic, then compare key by key with the independent reader."""
    truth = await asyncio.to_thread(read_truth, broker.bootstrap_servers, topic)
    await served.applied(tuple(truth.end_offsets[p] for p in sorted(truth.end_offsets)))
    assert await table(served) == expected(truth)
    return truth
