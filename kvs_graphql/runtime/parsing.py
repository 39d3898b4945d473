"""Parsing what clients send, a slice at a time, so that those who send many small things delay nobody else.

A read may bring 256 KiB: 40,000 frames, or 10,000 requests. Parsed at once, they would hold the event loop for hundreds
of milliseconds, and become as many objects. Here, all connections together parse for two milliseconds in each turn of
the event loop, one after the other, each for a fraction of that. A connection whose application has not handled what
came before waits for that.
"""

from asyncio import get_running_loop
from collections import deque
from typing import ClassVar

from kvs_graphql.compat.uvicorn import ClientConnection

SLICE_BYTES = 512
_CONNECTION_SECONDS = 0.00025
_LOOP_SECONDS = 0.002


class ParsingQueue:
    """The connections that have something to parse; each parses a few slices and goes to the end of the queue."""

    def __init__(self) -> None:
        self._waiting: deque[ParsesSlices] = deque()

    def wait(self, connection: "ParsesSlices") -> None:
        """Have a connection parse a few slices; it may not be waiting yet."""
        if not self._waiting:
            get_running_loop().call_soon(self._run)
        self._waiting.append(connection)

    def _run(self) -> None:
        loop = get_running_loop()
        end = loop.time() + _LOOP_SECONDS
        try:
            while self._waiting and loop.time() < end:
                self._parse_slices()
        finally:
            if self._waiting:
                loop.call_soon(self._run)

    def _parse_slices(self) -> None:
        # The first one stays until it has parsed: so `wait` schedules no second run.
        connection, has_more = self._waiting[0], False
        try:
            has_more = connection.parse_slices()
        except Exception:
            # As the event loop does where `data_received` fails.
            connection.transport.abort()
            raise
        finally:
            self._waiting.popleft()
            if has_more:
                self._waiting.append(connection)


class ParsesSlices(ClientConnection):
    """Parses slice by slice; mixed into a connection of `compat`."""

    parsing: ClassVar[ParsingQueue]
    whole_bytes_max: int = SLICE_BYTES
    """How much is parsed at once if no more has come, as most of what honest clients send."""
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
        if not self._unparsed and len(data) <= self.whole_bytes_max:
            self.parse(data)
            return
        self._unparsed += data
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
        while index < len(unparsed) and not self._is_over:
            self.parse(unparsed[index : index + SLICE_BYTES])
            index += SLICE_BYTES
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
