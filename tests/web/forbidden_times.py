"""Whether the time of an answer tells if a forbidden key is there.

`python -m tests.web.forbidden_times` asks for keys that are there and keys that are not, in turn, and prints for each
field how often an answer about a present key took longer than one about a missing key: 50 % where nothing can be told,
with how far it may lie from there by chance. With a number, it asks so often; with names of fields behind it, only for
these. Times are of processor time, of service and client together, which other processes disturb less than the time
that passes. It fails for nothing that it finds.
"""

import asyncio
import logging
import sys
import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any
from uuid import uuid4

import structlog

from kvs_graphql.api.encodings import id_of
from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.demo.broker import EmbeddedBroker
from kvs_graphql.state import State
from tests.serving import Served, produce, serving_tables

ROUNDS = 500
WARM_UP = 50
VALUE = b'"' + b"x" * 10_000 + b'"'
DEVIATIONS = 3.0
"""Of so many standard deviations, chance makes a difference once in 370 times."""

READER, WRITER = new_token(), new_token()


@dataclass(frozen=True)
class Asked:
    """What is asked about a key, and by whom."""

    document: Callable[[str], str]
    token: str = READER
    is_stream: bool = False


FIELDS = {
    "value": Asked(lambda key: f'{{ ordersValue(key: "{key}") {{ id value }} }}'),
    "values": Asked(lambda key: f'{{ ordersValues(keys: ["{key}"]) {{ id value }} }}'),
    "two fields": Asked(
        lambda key: f'{{ ordersValue(key: "{key}") {{ value }} other: ordersValue(key: "m/") {{ value }} }}'
    ),
    "entries": Asked(lambda key: f'{{ ordersEntries(prefix: "{key}") {{ totalCount edges {{ node {{ value }} }} }} }}'),
    "node": Asked(lambda key: f'{{ node(id: "{id_of(b"orders" + bytes(1) + key.encode())}") {{ id }} }}'),
    "history": Asked(lambda key: f'{{ ordersValue(key: "{key}") {{ history {{ value }} }} }}'),
    "set": Asked(lambda key: f'mutation {{ ordersSet(key: "{key}", value: "1") {{ offset }} }}'),
    "delete": Asked(lambda key: f'mutation {{ ordersDelete(key: "{key}") {{ offset }} }}'),
    "live value": Asked(lambda key: f'subscription {{ ordersValue(key: "{key}") {{ value }} }}', is_stream=True),
    "updates": Asked(
        lambda key: f'subscription {{ ordersUpdates(keys: ["{key}"], snapshot: true) {{ kind }} }}', is_stream=True
    ),
    # Last, for they change the keys: of a principal that may write them, and read nothing.
    "set, unread": Asked(lambda key: f'mutation {{ ordersSet(key: "{key}", value: "1") {{ offset }} }}', WRITER),
    "delete, unread": Asked(lambda key: f'mutation {{ ordersDelete(key: "{key}s") {{ offset }} }}', WRITER),
}


async def seconds_of(served: Served, asked: Asked, key: str) -> float:
    """The processor seconds of an answer, or of a subscription until its first event."""
    headers, body = {"authorization": f"Bearer {asked.token}"}, {"query": asked.document(key)}
    began = process_time()
    if not asked.is_stream:
        await served.http.post("/graphql", json=body, headers=headers)
        return process_time() - began
    headers["accept"] = "text/event-stream"
    async with served.http.stream("POST", "/graphql", json=body, headers=headers) as stream:
        chunks = stream.aiter_text()
        while "data:" not in await anext(chunks):
            pass
        return process_time() - began


async def times(served: Served, asked: Asked, first: int, rounds: int) -> tuple[list[float], list[float]]:
    """The times of keys that are there and of keys that are not: in turn, as is which of them is first."""
    found: dict[str, list[float]] = {"present": [], "missing": []}
    for number in range(first, first + rounds):
        # The two are equally long.
        for kind, seconds in sorted(found.items(), reverse=number % 2 == 1):
            seconds.append(await seconds_of(served, asked, f"theirs/{kind}/{number:05}"))
    return found["present"], found["missing"]


def longer(ones: Sequence[float], others: Sequence[float]) -> float:
    """How likely one takes longer than another (Mann and Whitney's U, over the number of pairs)."""
    known = sorted(others)
    ahead = sum(bisect_left(known, one) + bisect_right(known, one) for one in ones) / 2
    return ahead / (len(ones) * len(others))


def deviation(count: int, other: int) -> float:
    """The standard deviation of `longer` where both are alike."""
    return sqrt((count + other + 1) / (12 * count * other))


def line(name: str, present: Sequence[float], missing: Sequence[float]) -> str:
    """What was found about a field."""
    share, by_chance = longer(present, missing), DEVIATIONS * deviation(len(present), len(missing))
    verdict = "alike" if abs(share - 0.5) <= by_chance else "DIFFERENT"
    medians = f"present {median(present) * 1e6:6.0f}  missing {median(missing) * 1e6:6.0f}"
    return f"{name:<15} {medians}  longer {share:6.1%} (50 ± {by_chance:.1%})  {verdict}"


async def main(rounds: int, fields: Sequence[str]) -> None:
    topic = f"topic-{uuid4().hex}"
    settings: dict[str, Any] = {
        "tokens": (f"reader:{hash_of(READER)}", f"writer:{hash_of(WRITER)}"),
        "grants": [
            {"to": ["token:reader"], "verbs": ["read", "write"], "tables": ["orders"], "prefixes": ["mine/"]},
            {"to": ["token:writer"], "verbs": ["write"], "tables": ["orders"]},
        ],
    }
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as directory:
        broker.create_topic(topic)
        # One for the rest, and one for deletes, which come after sets of the others.
        names = [f"theirs/present/{number:05}{end}" for number in range(WARM_UP + rounds) for end in ("", "s")]
        positions = await produce(broker.bootstrap_servers, topic, *((name.encode(), VALUE) for name in names))
        tables = {"orders": {"topic": topic, "writes": True}}
        async with serving_tables(broker.bootstrap_servers, tables, Path(directory), **settings) as served:
            await served.state(State.LIVE, "orders")
            await served.applied(positions, "orders")
            print(f"{rounds} answers each, median processor time in microseconds")
            for name, asked in [(name, FIELDS[name]) for name in fields or FIELDS]:
                await times(served, asked, 0, WARM_UP)
                print(line(name, *await times(served, asked, WARM_UP, rounds)), flush=True)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS, sys.argv[2:]))
