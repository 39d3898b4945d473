"""Parsing what clients send, so that those who send much, or all at once, delay nobody else.

A read may bring 256 KiB: 40,000 frames, or 10,000 requests; and a thousand connections may bring a request each in one
round of the event loop. Parsed at once, they would hold the loop for hundreds of milliseconds, and so would what they
ask for. Here, the loop parses for two milliseconds in each of its rounds, slice by slice: the clients in turn, and the
connections of each of them in turn. Only of what is small, a little of each client is parsed before that, as it comes.
While rounds are long and some wait, less is parsed in each: so those whose requests are answered wait less.
A connection whose application has not handled what came before waits for that.
"""

from asyncio import get_running_loop
from collections import OrderedDict, deque
from typing import ClassVar

from kvs_graphql.compat.uvicorn import ClientConnection

SLICE_BYTES = 512
_CONNECTION_SECONDS = 0.00025
_LOOP_SECONDS = 0.002
_AT_ONCE_MAX = 64
"""How many small parts are parsed as they come, in one round of the event loop."""
_OF_ONE_CLIENT_MAX = 32
_ROUND_SECONDS = 0.01
"""While some wait and rounds take longer than that, less is parsed in each."""
_SHARE_MIN = 1 / 8
_GROWTH = 1.25


class ParsingQueue:
    """The connections that have something to parse: a few slices in each turn of their client."""

    def __init__(self) -> None:
        self._waiting = OrderedDict[str | None, deque[ParsesSlices]]()
        """By client, in the order of the turns to come."""
        self._at_once: dict[str, int] = {}
        """By client, how many small parts were parsed in this round."""
        self._left = _AT_ONCE_MAX
        """How many small parts of any client may still be parsed in this round."""
        self._of_one_client_max = _OF_ONE_CLIENT_MAX
        self._share = 1.0
        """How much of all that is parsed in a round: half as much after each that took long."""
        self._round_began = 0.0
        self._is_busy = False
        """Whether some waited at the end of the last round."""
        self._is_due = False

    def allows(self, client: str) -> bool:
        """Whether a small part of a client may be parsed at once; it is counted then."""
        number = self._at_once.get(client, 0)
        if number >= self._of_one_client_max or self._left == 0:
            return False
        self._at_once[client] = number + 1
        self._left -= 1
        self._schedule()
        return True

    def wait(self, connection: "ParsesSlices") -> None:
        """Have a connection parse a few slices; it may not be waiting yet."""
        self._waiting.setdefault(connection.counted_client, deque()).append(connection)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_due:
            self._is_due = True
            get_running_loop().call_soon(self._begin_round)

    def _begin_round(self) -> None:
        loop = get_running_loop()
        now = loop.time()
        took_long = self._is_busy and now - self._round_began > _ROUND_SECONDS
        share = self._share = max(_SHARE_MIN, self._share / 2) if took_long else min(1.0, self._share * _GROWTH)
        self._round_began = now
        self._at_once.clear()
        self._left, self._of_one_client_max = int(_AT_ONCE_MAX * share), int(_OF_ONE_CLIENT_MAX * share)
        end = now + _LOOP_SECONDS * share
        try:
            while self._waiting and loop.time() < end:
                self._parse_slices()
        finally:
            self._is_due, self._is_busy = False, bool(self._waiting)
            if self._is_busy:
                self._schedule()

    def _parse_slices(self) -> None:
        client, connections = self._waiting.popitem(last=False)
        connection, has_more = connections.popleft(), False
        try:
            has_more = connection.parse_slices()
        except Exception:
            # As the event loop does where `data_received` fails.
            connection.transport.abort()
            raise
        finally:
            if has_more:
                connections.append(connection)
            if connections:
                # Some may have come meanwhile.
                self._waiting.setdefault(client, deque()).extendleft(reversed(connections))


class ParsesSlices(ClientConnection):
    """Parses slice by slice; mixed into a connection of `compat`."""

    parsing: ClassVar[ParsingQueue]
    whole_bytes_max: int = SLICE_BYTES
    """How much is parsed in one piece if no more has come, as most of what honest clients send."""
    counted_client: str | None = None
    """Whose turns this connection shares: its client, as limits count it; None until that is known."""
    ignores_input = False
    _unparsed = b""
    _is_waiting = False

    def parse(self, data: bytes) -> None:
        """Parse a small part of what has come."""
        raise NotImplementedError

    def ignore(self) -> None:
        """Handle that something came although this connection `ignores_input`."""

    def data_received(self, data: bytes) -> None:
        if self.ignores_input:
            self.ignore()
            return
        client = self.counted_client
        is_small = not self._unparsed and len(data) <= self.whole_bytes_max
        if client is None or (is_small and self.parsing.allows(client)):
            self.parse(data)
            return
        self._unparsed += data
        if not is_small:
            self.transport.pause_reading()
        if not self.is_held:
            self._wait()

    def resume_receiving(self) -> None:
        if self._unparsed:
            self._wait()
        else:
            super().resume_receiving()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ignores_input = True
        super().connection_lost(exc)

    def parse_slices(self) -> bool:
        """Parse for a short time; return whether there is more to parse."""
        end, index = self.loop.time() + _CONNECTION_SECONDS, 0
        unparsed, self._unparsed = self._unparsed, b""
        size = SLICE_BYTES if len(unparsed) > self.whole_bytes_max else self.whole_bytes_max
        while index < len(unparsed) and not self._is_over:
            self.parse(unparsed[index : index + size])
            index += size
            if self.is_held or self.loop.time() > end:
                break
        self._is_waiting = False
        if self._is_over:
            return False
        self._unparsed = unparsed[index:]
        if not self._unparsed and not self.is_held:
            self.transport.resume_reading()
        self._is_waiting = bool(self._unparsed) and not self.is_held
        return self._is_waiting

    @property
    def _is_over(self) -> bool:
        return self.ignores_input or self.transport.is_closing()

    def _wait(self) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self.parsing.wait(self)
