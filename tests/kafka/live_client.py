"""A client of `updates` over graphql-transport-ws that goes from replica to replica, and is told the truth or not."""

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
from tests.kafka.truth import read_log

WAIT_SECONDS_MAX = 60.0
RETRY_SECONDS = 0.02
UPDATES = """
subscription ($keys: [String!], $after: Cursor, $snapshot: Boolean!) {
  updates(keys: $keys, after: $after, snapshot: $snapshot, progress: true) {
    kind key(encoding: HEX) entry { value(encoding: HEX) } partition offset cursor
  }
}
"""


class LiveClient:
    """Begins with a snapshot, notes every update, and after each loss of its connection goes on after the last one.

    Made by `watching`.
    """

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.updates: list[Update] = []
        self._after: str | None = None
        self._url: str | None = None
        self._sent_elsewhere = asyncio.Event()
        self._told = asyncio.Event()

    @property
    def positions(self) -> Positions:
        """Where its last cursor stands."""
        return self.updates[-1].cursor.positions if self.updates else ()

    @property
    def live(self) -> bool:
        """Whether the run of a snapshot, CONFLATED or RESET that it was told last is over."""
        ends = (u.kind for u in reversed(self.updates) if u.kind in (Kind.LIVE, Kind.CONFLATED, Kind.RESET))
        return next(ends, None) is Kind.LIVE

    def count(self, kind: Kind) -> int:
        """How many updates of a kind it was told."""
        return sum(update.kind is kind for update in self.updates)

    def go_to(self, url: str | None) -> None:
        """Leave, and subscribe at another replica; None: nowhere."""
        self._url = url
        self._sent_elsewhere.set()

    async def told_more(self, updates: int) -> None:
        """Return once it was told so many updates more."""
        wanted = len(self.updates) + updates
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while len(self.updates) < wanted:
                await self._told.wait()
                self._told.clear()

    async def reached(self, place: Cursor) -> None:
        """Return once its cursor stands there, and what it holds is whole."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while not (self._stands_at(place) and self.live):
                await self._told.wait()
                self._told.clear()

    def _stands_at(self, place: Cursor) -> bool:
        cursors = (update.cursor for update in self.updates[-1:])
        return any(c.topic_id == place.topic_id and covers(c.positions, place.positions) for c in cursors)

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            self._sent_elsewhere.clear()
            following = asyncio.ensure_future(self._follow(self._url))
            leaving = asyncio.ensure_future(self._sent_elsewhere.wait())
            try:
                await asyncio.wait((following, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                leaving.cancel()
                following.cancel()
                await asyncio.wait((following,))
            if not following.cancelled():
                following.result()

    async def _follow(self, url: str | None) -> None:
        """Take what one connection brings; return when it is lost."""
        if url is None:
            await asyncio.get_running_loop().create_future()
        address = f"{url}/graphql".replace("http", "ws", 1)
        try:
            async with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
                await self._subscribe(socket)
                async for message in socket:
                    if not self._take(json.loads(message)):
                        return
        except (OSError, WebSocketException):
            await asyncio.sleep(RETRY_SECONDS)

    async def _subscribe(self, socket: ClientConnection) -> None:
        keys = None if self.interest.keys is None else [key.decode() for key in sorted(self.interest.keys)]
        variables = {"keys": keys, "after": self._after, "snapshot": self._after is None}
        payload = {"query": UPDATES, "variables": variables}
        await socket.send('{"type": "connection_init"}')
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))

    def _take(self, message: dict[str, Any]) -> bool:
        """Note an update; False where the service ends the subscription because it stops."""
        match message:
            case {"type": "next", "payload": {"data": {"updates": dict(told)}}}:
                self._after = told["cursor"]
                self.updates.append(_update(told))
                self._told.set()
                return True
            case {"type": "connection_ack" | "ping"}:
                return True
            case {"type": "complete"}:
                return False
        assert "UNAVAILABLE" in json.dumps(message), message
        return False


@asynccontextmanager
async def watching(url: str, *interests: Interest) -> AsyncIterator[list[LiveClient]]:
    """A client for each interest, at that replica first."""
    clients = [LiveClient(interest) for interest in interests]
    for client in clients:
        client.go_to(url)
    async with asyncio.TaskGroup() as tasks:
        runs = [tasks.create_task(client.run()) for client in clients]
        yield clients
        for run in runs:
            run.cancel()


def log_of(servers: str, topic: str) -> Log:
    """The log as an independent reader has it."""
    read = read_log(servers, topic)
    partitions = [
        [Record(r.key, r.value, partition, r.offset, None, None) for r in read[partition] if r.key is not None]
        for partition in sorted(read)
    ]
    return Log(partitions, [records[-1].offset + 1 if records else 0 for records in partitions])


def checked(client: LiveClient, logs: Mapping[bytes, Log]) -> Table:
    """Check all that a client was told against the logs, by topic id; what it holds in the end."""
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


def _update(told: dict[str, Any]) -> Update:
    cursor, record = decode_cursor(told["cursor"]), None
    if told["key"] is not None:
        value = None if told["entry"] is None else bytes.fromhex(told["entry"]["value"])
        record = Record(bytes.fromhex(told["key"]), value, told["partition"], told["offset"], None, None)
    return Update(Kind(told["kind"]), cursor, record)
