"""Attacks by subscriptions: unread, unanswerable, large, or many."""

import asyncio
from typing import Any

import orjson

from bench.queries import EVENT_STREAM, PATH
from tests.attacks.attack import attack
from tests.attacks.data import BIG_PREFIX, CHANGED, SMALL_PREFIX, small_value
from tests.attacks.requests import aliases
from tests.attacks.target import HOST, Target, Wire, post, post_body

_SNAPSHOT = "subscription($p: String) { updates(prefix: $p, snapshot: true) { kind key cursor entry { id value } } }"
_NO_VARIABLES: dict[str, Any] = {}
_RESERVE = f"PUT {PATH} HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode()


@attack(holds=True)
async def unread_snapshots(target: Target) -> None:
    """Two thousand snapshots over WebSockets that nobody reads."""
    await target.subscribed([(_SNAPSHOT, _NO_VARIABLES)] * target.amount(2_000), per_socket=1)
    await target.hold()


@attack(holds=True)
async def unread_snapshots_on_few_sockets(target: Target) -> None:
    """As many, a hundred on each WebSocket."""
    await target.subscribed([(_SNAPSHOT, _NO_VARIABLES)] * target.amount(2_000, least=100))
    await target.hold()


@attack(holds=True)
async def unread_event_streams(target: Target) -> None:
    """Two thousand snapshots over Server-Sent Events that nobody reads."""
    await _unread_streams(target, post(_SNAPSHOT, _NO_VARIABLES, EVENT_STREAM), 2_000)


@attack(holds=True)
async def unread_big_snapshots(target: Target) -> None:
    """Snapshots of 900 KB values that nobody reads."""
    await _unread_streams(target, post(_SNAPSHOT, {"p": BIG_PREFIX}, EVENT_STREAM), 500)


@attack()
async def read_snapshots(target: Target) -> None:
    """Hundreds of snapshots of the whole table at once, by clients that read."""
    await target.read(await target.subscribed([(_SNAPSHOT, _NO_VARIABLES)] * target.amount(500), per_socket=10))


@attack()
async def snapshots_that_match_nothing(target: Target) -> None:
    """A thousand snapshots that find nothing in the whole table."""
    one = (_SNAPSHOT, {"p": "nothing"})
    document = "subscription($k: [String!]) { updates(keys: $k, snapshot: true) { kind key } }"
    other = (document, {"k": ["absent"]})
    await target.read(await target.subscribed([one, other] * target.amount(500)))


@attack(holds=True)
async def many_keys(target: Target) -> None:
    """Two hundred subscriptions to 0.9 MB of keys each."""
    document = "subscription($k: [String!]) { updates(keys: $k) { kind } }"

    async def one(number: int) -> None:
        socket = await target.websocket()
        await socket.subscribe("1", document, {"k": [f"{number}-{n}-".ljust(900, "k") for n in range(1_000)]})

    await target.together(one, 200, at_once=8)
    await target.hold()


@attack(holds=True)
async def large_connection_init(target: Target) -> None:
    """A hundred WebSockets whose connection_init has 0.9 MB of small objects, which parsed take ten times that."""
    payload: dict[str, list[list[int]]] = {"a": [[]] * 300_000}

    async def one(_: int) -> None:
        await target.websocket(payload)

    await target.together(one, 100, at_once=8)
    await target.hold()


@attack()
async def prefix_lengths(target: Target) -> None:
    """Five thousand prefixes, each of another length, while thousands of longer keys change."""
    document = "subscription($p: String) { updates(prefix: $p) { kind } }"
    number = target.amount(5_000)
    sockets = await target.subscribed([(document, {"p": "p" * length}) for length in range(1, number + 1)])
    await target.write((b"q" * number + b"-%d" % change, b"") for change in range(target.amount(2_000)))
    await target.read(sockets)


@attack()
async def distinct_prefixes(target: Target) -> None:
    """Five thousand prefixes of no key, while thousands of other keys change."""
    document = "subscription($p: String) { updates(prefix: $p) { kind } }"
    sockets = await target.subscribed([(document, {"p": f"{n:x}" * 8}) for n in range(target.amount(5_000))])
    keys = target.table.small_keys(target.amount(10_000))
    await target.write((key.encode(), small_value(key)) for key in keys)
    await target.read(sockets)


@attack()
async def status_at_the_least_interval(target: Target) -> None:
    """Two thousand subscriptions to the status, ten times a second each."""
    selection = "state entries lag tables { sizes { databaseBytes } partitions { partition position lag } }"
    document = f"subscription {{ status(interval: 0.1) {{ {selection} }} }}"
    await target.read(await target.subscribed([(document, _NO_VARIABLES)] * target.amount(2_000)))


@attack()
async def large_live_queries(target: Target) -> None:
    """A hundred live queries of a thousand keys at the least interval, while their keys change."""
    document = "subscription($k: [String!]!) { values(keys: $k, interval: 0.1) { id key value } }"
    keys = target.table.small_keys(1_000)
    sockets = await target.subscribed([(document, {"k": keys})] * target.amount(100), per_socket=10)
    reading = asyncio.ensure_future(target.read(sockets))
    try:
        for _ in range(20):
            await target.write((key.encode(), small_value(key)) for key in keys[::10])
            await asyncio.sleep(0.1)
        await reading
    finally:
        reading.cancel()


@attack(refusal="NOT_JSON")
async def errors_in_updates(target: Target) -> None:
    """Snapshots whose every update has a hundred errors."""
    fields = aliases("json", 90)
    document = f'subscription {{ updates(prefix: "{SMALL_PREFIX}", snapshot: true) {{ entry {{ {fields} }} }} }}'
    await target.read(await target.subscribed([(document, _NO_VARIABLES)] * target.amount(20)))


@attack(refusal="LIMIT_EXCEEDED")
async def history_in_updates(target: Target) -> None:
    """Snapshots whose every update has the histories of a key under many names."""
    fields = aliases("history(last: 1000) { kind offset }", 50)
    document = f'subscription {{ updates(prefix: "{CHANGED}", snapshot: true) {{ entry {{ {fields} }} }} }}'
    await target.read(await target.subscribed([(document, _NO_VARIABLES)] * target.amount(20)))


@attack(holds=True)
async def large_queries_on_a_socket(target: Target) -> None:
    """A hundred pages of large values at once over one WebSocket that nobody reads."""
    document = f'{{ entries(prefix: "{BIG_PREFIX}", first: 400) {{ edges {{ node {{ value }} }} }} }}'
    await target.subscribed([(document, _NO_VARIABLES)] * target.amount(100))
    await target.hold()


@attack(refusal="LIMIT_EXCEEDED")
async def refused_subscriptions(target: Target) -> None:
    """Operations beyond the limit of a WebSocket, which are refused over and over."""
    document = "subscription { updates { kind } }"
    sockets = await target.subscribed([(document, _NO_VARIABLES)] * 400, per_socket=100)
    reading = asyncio.ensure_future(target.read(sockets))
    try:
        for number in range(100, 100 + target.amount(5_000)):
            await asyncio.gather(*(socket.subscribe(str(number), document, _NO_VARIABLES) for socket in sockets))
        await reading
    finally:
        reading.cancel()


@attack()
async def subscribe_and_leave(target: Target) -> None:
    """Subscriptions that end as soon as they began, with a snapshot and without."""
    sockets = [await target.websocket() for _ in range(4)]
    reading = asyncio.ensure_future(target.read(sockets))
    try:
        for number in range(target.amount(20_000)):
            for socket in sockets:
                await socket.subscribe(str(number), _SNAPSHOT, _NO_VARIABLES)
                await socket.tell(id=str(number), type="complete")
        await reading
    finally:
        reading.cancel()


@attack(refusal="LIMIT_EXCEEDED")
async def operations_before_their_stream(target: Target) -> None:
    """Two thousand operations of 0.9 MB each, whose results wait for event streams that nobody opens."""
    document = "subscription($k: [String!]) { updates(keys: $k) { kind } }"
    keys = [f"{n}-".ljust(900, "k") for n in range(1_000)]

    async def one(_: int) -> None:
        wire, token = await _reserved(target)
        for identity in "abcd":
            await wire.send(_operation(token, identity, document, {"k": keys}))
            await wire.answer()

    await target.together(one, 500, at_once=8)


@attack(holds=True)
async def unread_reserved_streams(target: Target) -> None:
    """A hundred event streams that nobody reads, each with as many snapshots as it may carry."""

    async def one(_: int) -> None:
        wire, token = await _reserved(target)
        stream = await target.connect()
        head = f"GET {PATH} HTTP/1.1\r\nhost: {HOST}\r\naccept: {EVENT_STREAM}\r\n"
        await stream.send(f"{head}x-graphql-event-stream-token: {token}\r\n\r\n".encode())
        await stream.head()
        for identity in range(100):
            await wire.send(_operation(token, str(identity), _SNAPSHOT, _NO_VARIABLES))
            await wire.answer()

    await target.together(one, 100)
    await target.hold()


@attack(refusal="LIMIT_EXCEEDED")
async def reserved_streams(target: Target) -> None:
    """Event streams that are reserved over and over, and never opened; for seconds, their address gets no others."""
    await target.ask([_RESERVE] * target.amount(100_000), connections=20)


async def _reserved(target: Target) -> tuple[Wire, str]:
    """Reserve an event stream; return its token, and the connection. Raises: EOFError: It is refused."""
    wire = await target.connect()
    await wire.send(_RESERVE)
    head = await wire.head()
    target.tally.outcomes[head[9:12].decode()] += 1
    if not head.startswith(b"HTTP/1.1 201"):
        raise EOFError
    return wire, (await wire.receive()).decode()


def _operation(token: str, identity: str, document: str, variables: dict[str, Any]) -> bytes:
    """The request for an operation whose results a reserved stream carries."""
    asked = {"query": document, "variables": variables, "extensions": {"operationId": identity}}
    return post_body(orjson.dumps(asked), x_graphql_event_stream_token=token)


async def _unread_streams(target: Target, request: bytes, full: int) -> None:
    async def one(_: int) -> None:
        wire = await target.connect()
        await wire.send(request)
        head = await wire.head()
        target.tally.outcomes[head[9:12].decode()] += 1

    await target.together(one, full)
    await target.hold()
