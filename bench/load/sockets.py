"""Subscriptions over a WebSocket, in GraphQL's protocol or in that of the bare application."""

from abc import abstractmethod
from itertools import chain
from typing import Any

import orjson

from bench.data import MARK, key
from bench.load.connections import Connection, Subscribers, now_us
from bench.load.frames import CLOSE, PING, PONG, TEXT, Reader, frame, handshake
from bench.queries import PATH


class Socket(Connection):
    """One WebSocket."""

    path: str
    protocol: str

    def __init__(self, subscribers: Subscribers, first: int) -> None:
        super().__init__(subscribers, first)
        self._reader = Reader()
        self._upgraded = False

    @abstractmethod
    def upgraded(self) -> None:
        """Send the first message."""

    @abstractmethod
    def control(self, message: dict[str, Any]) -> None:
        """Handle a message that carries no update."""

    def greet(self) -> None:
        self.write(handshake(self.subscribers.port, self.path, self.protocol))

    def data_received(self, data: bytes) -> None:
        now = now_us()
        for opcode, buffer, start, end in self._reader.messages(data):
            mark = buffer.find(MARK, start, end) if opcode == TEXT else -1
            if mark >= 0:
                self.deliver(buffer, mark, end - start, now)
            elif opcode == TEXT:
                self.control(orjson.loads(buffer[start:end]))
            elif opcode == PING:
                self.write(frame(buffer[start:end], PONG))
            elif opcode == CLOSE:
                self.fail(f"closed by the server: {buffer[start:end]!r}")
        if not self._upgraded and self._reader.upgraded:
            self._upgraded = True
            self.upgraded()

    def send(self, message: dict[str, Any]) -> None:
        self.write(frame(orjson.dumps(message)))


class GraphQLSocket(Socket):
    """Speaks graphql-transport-ws. It may carry several subscriptions if each has a key of its own."""

    path = PATH
    protocol = "graphql-transport-ws"

    def upgraded(self) -> None:
        token = self.subscribers.token(self.first)
        payload = {} if token is None else {"payload": {"Authorization": f"Bearer {token}"}}
        self.send({"type": "connection_init", **payload})

    def control(self, message: dict[str, Any]) -> None:
        if message["type"] == "connection_ack":
            self._subscribe()
        elif message["type"] == "ping":
            self.send({"type": "pong"})
        elif message["type"] == "pong":
            self.subscribed.set_result(None)
        elif message["type"] in ("error", "complete"):
            self.fail(f"a subscription ended: {message}")

    def _subscribe(self) -> None:
        for number in self.numbers:
            keys = [key(key_number).decode() for key_number in self.subscribers.wanted.key_numbers(number)]
            payload = {"query": self.subscribers.document, "variables": {"keys": keys}}
            self.send({"id": str(number), "type": "subscribe", "payload": payload})
        # The server reads messages in order: its pong proves that it has read the subscriptions.
        self.send({"type": "ping"})


class BareSocket(Socket):
    """Speaks the protocol of `bench.floors.sends`."""

    path = "/"
    protocol = "bare"

    def upgraded(self) -> None:
        self.send({"keys": list(chain.from_iterable(map(self.subscribers.wanted.key_numbers, self.numbers)))})

    def control(self, message: dict[str, Any]) -> None:
        assert message["type"] == "pong", message
        self.subscribed.set_result(None)
