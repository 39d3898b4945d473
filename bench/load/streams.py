"""Subscriptions over Server-Sent Events: a POST each, whose answer is the stream."""

from bench.data import MARK, key
from bench.load.connections import Connection, Subscribers, now_us
from bench.load.events import EventReader, StreamRefused
from bench.queries import EVENT_STREAM, http_request


class EventStream(Connection):
    """One stream with one subscription."""

    def __init__(self, subscribers: Subscribers, first: int) -> None:
        super().__init__(subscribers, first)
        self._reader = EventReader()

    def greet(self) -> None:
        subscribers = self.subscribers
        keys = [key(number).decode() for number in subscribers.wanted.key_numbers(self.first)]
        token = subscribers.token(self.first)
        self.write(http_request(subscribers.document, {"keys": keys}, accept=EVENT_STREAM, token=token))

    def data_received(self, data: bytes) -> None:
        now = now_us()
        try:
            for buffer, start, end in self._reader.events(data):
                mark = buffer.find(MARK, start, end)
                if mark >= 0:
                    self.deliver(buffer, mark, end - start, now)
                elif buffer[start:end].startswith((b"event: error", b"event: complete")):
                    self.fail(f"a subscription ended: {buffer[start:end]!r}")
        except StreamRefused as refused:
            self.fail(str(refused))
        if self._reader.opened and not self.subscribed.done():
            self.subscribed.set_result(None)
