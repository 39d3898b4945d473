"""How long answers about forbidden keys take: of keys that are there, and of those that are not.

`python -m tests.web.forbidden_times` prints the figures, and judges none: they are of processor time, of service and
client together, which other processes disturb less than the time that passes.
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import process_time
from typing import Any
from uuid import uuid4

from kvs_graphql.api.encodings import id_of
from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.serving import Served, produce, serving_tables

ROUNDS = 500
KEYS = 100
VALUE = b'"' + b"x" * 10_000 + b'"'
FIELDS: dict[str, Callable[[str], str]] = {
    "value": lambda key: f'{{ ordersValue(key: "{key}") {{ id value }} }}',
    "values": lambda key: f'{{ ordersValues(keys: ["{key}"]) {{ id value }} }}',
    "two fields": lambda key: f'{{ ordersValue(key: "{key}") {{ value }} other: ordersValue(key: "m/") {{ value }} }}',
    "entries": lambda key: f'{{ ordersEntries(prefix: "{key}") {{ totalCount edges {{ node {{ value }} }} }} }}',
    "node": lambda key: f'{{ node(id: "{id_of(b"orders" + bytes(1) + key.encode())}") {{ id }} }}',
    "set": lambda key: f'mutation {{ ordersSet(key: "{key}", value: "1") {{ offset }} }}',
}


async def times(served: Served, token: str, document: Callable[[str], str], rounds: int) -> dict[str, list[float]]:
    """The processor seconds of each answer, for keys that are there and that are not, in turn."""
    headers = {"authorization": f"Bearer {token}"}
    found: dict[str, list[float]] = {"present": [], "missing": []}
    for number in range(rounds):
        # In turn, who is first; and the two are equally long.
        for kind, seconds in sorted(found.items(), reverse=number % 2 == 1):
            asked = {"query": document(f"theirs/{kind}/{number % KEYS:03}")}
            began = process_time()
            await served.http.post("/graphql", json=asked, headers=headers)
            seconds.append(process_time() - began)
    return found


async def main(rounds: int) -> None:
    token, topic = new_token(), f"topic-{uuid4().hex}"
    settings: dict[str, Any] = {
        "tokens": (f"ann:{hash_of(token)}",),
        "grants": [{"to": ["token:ann"], "verbs": ["read", "write"], "tables": ["orders"], "prefixes": ["mine/"]}],
    }
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as directory:
        broker.create_topic(topic)
        records = [(f"theirs/present/{number:03}".encode(), VALUE) for number in range(KEYS)]
        positions = await produce(broker.bootstrap_servers, topic, *records)
        tables = {"orders": {"topic": topic, "writes": True}}
        async with serving_tables(broker.bootstrap_servers, tables, Path(directory), **settings) as served:
            await served.state(State.LIVE, "orders")
            await served.applied(positions, "orders")
            print(f"{rounds} answers each, processor time in microseconds: median, 95th percentile")
            for name, document in FIELDS.items():
                await times(served, token, document, KEYS)
                found = await times(served, token, document, rounds)
                figures = {
                    kind: f"{median(seconds) * 1e6:7.0f} {quantiles(seconds, n=20)[-1] * 1e6:7.0f}"
                    for kind, seconds in found.items()
                }
                print(f"{name:<12}" + "".join(f"  {kind} {figure}" for kind, figure in figures.items()))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
