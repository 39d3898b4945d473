"""A client that subscribes to `updates`, moves between replicas and keeps what it receives."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from kvs_graphql.cursor import Cursor, decode_cursor
from kvs_graphql.feed import Kind, Update
from kvs_graphql.records import Interest, Positions, Record, covers
from tests.checkers import ClientView, Log, Table
from tests.deadline import SECONDS_MAX
from tests.kafka.truth import read_log

RETRY_SECONDS = 0.02
UPDATES = """
subscription ($keys: [String!], $after: Cursor, $snapshot: Boolean!) {
  updates(keys: $keys, after: $after, snapshot: $snapshot, progress: true) {
    kind key(encoding: HEX) entry { value(encoding: HEX) } partition offset cursor
  }
}
"""


class LiveClient:
    """Starts with a snapshot, keeps every update, and resumes after the last one whenever it loses its connection.

    Made by `watching`.
    """

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.updates: list[Update] = []
        self._after: str | None = None
        self._url: str | None = None
        self._moved = asyncio.Event()
        self._received = asyncio.Event()

    @property
    def positions(self) -> Positions:
        """The positions of its last cursor."""
        return self.updates[-1].cursor.positions if self.updates else ()

    @property
    def live(self) -> bool:
        """Whether its latest snapshot, CONFLATED or RESET was completed by LIVE."""
        ends = (u.kind for u in reversed(self.updates) if u.kind in (Kind.LIVE, Kind.CONFLATED, Kind.RESET))
        return next(ends, None) is Kind.LIVE

    def count(self, kind: Kind) -> int:
        """Return how many updates of a kind it received."""
        return sum(update.kind is kind for update in self.updates)

    def go_to(self, url: str | None) -> None:
        """Unsubscribe, and subscribe at another replica; None: at none."""
        self._url = url
        self._moved.set()

    async def received_more(self, updates: int) -> None:
        """Return once it received so many more updates."""
        wanted = len(self.updates) + updates
        async with asyncio.timeout(SECONDS_MAX):
            while len(self.updates) < wanted:
                await self._received.wait()
                self._received.clear()

    async def reached(self, cursor: Cursor) -> None:
        """Return once its cursor covers that one and it is live."""
        async with asyncio.timeout(SECONDS_MAX):
            while not (self._covers(cursor) and self.live):
                await self._received.wait()
                self._received.clear()

    def _covers(self, cursor: Cursor) -> bool:
        cursors = (update.cursor for update in self.updates[-1:])
        return any(c.topic_id == cursor.topic_id and covers(c.positions, cursor.positions) for c in cursors)

    async def run(self) -> None:
        """Stay subscribed until cancelled."""
        while True:
            self._moved.clear()
            following = asyncio.ensure_future(self._follow(self._url))
            leaving = asyncio.ensure_future(self._moved.wait())
            try:
                await asyncio.wait((following, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                leaving.cancel()
                following.cancel()
                await asyncio.wait((following,))
            if not following.cancelled():
                following.result()

    async def _follow(self, url: str | None) -> None:
        """Receive over one connection until it is lost."""
        if url is None:
            await asyncio.get_running_loop().create_future()
        address = f"{url}/graphql".replace("http", "ws", 1)
        try:
            async with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
                await self._subscribe(socket)
                async for message in socket:
                    if not self._handle(json.loads(message)):
                        return
        except (OSError, WebSocketException):
            await asyncio.sleep(RETRY_SECONDS)

    async def _subscribe(self, socket: ClientConnection) -> None:
        keys = None if self.interest.keys is None else [key.decode() for key in sorted(self.interest.keys)]
        variables = {"keys": keys, "after": self._after, "snapshot": self._after is None}
        payload = {"query": UPDATES, "variables": variables}
        await socket.send('{"type": "connection_init"}')
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))

    def _handle(self, message: dict[str, Any]) -> bool:
        """Handle a message; return False if the service ends the subscription because it stops."""
        match message:
            case {"type": "next", "payload": {"data": {"updates": dict(update)}}}:
                self._after = update["cursor"]
                self.updates.append(_update(update))
                self._received.set()
                return True
            case {"type": "connection_ack" | "ping"}:
                return True
            case {"type": "complete"}:
                return False
        assert "UNAVAILABLE" in json.dumps(message), message
        return False


@asynccontextmanager
async def watching(url: str, *interests: Interest) -> AsyncIterator[list[LiveClient]]:
    """A client for each interest, subscribed at that replica first."""
    clients = [LiveClient(interest) for interest in interests]
    for client in clients:
        client.go_to(url)
    async with asyncio.TaskGroup() as tasks:
        runs = [tasks.create_task(client.run()) for client in clients]
        yield clients
        for run in runs:
            run.cancel()


def log_of(servers: str, topic: str) -> Log:
    """Read the log independently of the service."""
    read = read_log(servers, topic)
    partitions = [
        [Record(r.key, r.value, partition, r.offset, None, None) for r in read[partition] if r.key is not None]
        for partition in sorted(read)
    ]
    return Log(partitions, [records[-1].offset + 1 if records else 0 for records in partitions])


def check_updates(client: LiveClient, logs: Mapping[bytes, Log]) -> Table:
    """Check all updates of a client against the logs, which are given by topic id; return the client's final table."""
    topic_id = client.updates[0].cursor.topic_id
    view = ClientView(logs[topic_id], client.interest)
    for update in client.updates:
        view.see(update)
        if update.cursor.topic_id != topic_id:
            assert update.kind is Kind.RESET
            topic_id = update.cursor.topic_id
            view.switch_to(logs[topic_id])
    assert view.live
    view.check_complete()
    return view.table


def _update(update: dict[str, Any]) -> Update:
    cursor, record = decode_cursor(update["cursor"]), None
    if update["key"] is not None:
        value = None if update["entry"] is None else bytes.fromhex(update["entry"]["value"])
        record = Record(bytes.fromhex(update["key"]), value, update["partition"], update["offset"], None, None)
    return Update(Kind(update["kind"]), cursor, record)
