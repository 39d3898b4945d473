"""Parsing what clients send in turns, so that one that sends many small things gets no more time than others.

A read may bring 256 KiB: 40,000 frames, or 10,000 requests. Parsed at once, they would hold the event loop for hundreds
of milliseconds, and become as many objects. Here, a connection parses for a millisecond at most before others have
their turn, and nothing while the application has not handled what came before.
"""

from kvs_graphql.compat.uvicorn import Connection

_SLICE_BYTES = 1024
_TURN_SECONDS = 0.001


class TakesTurns(Connection):
    """Parses in turns; mixed into a connection of `compat`."""

    whole_bytes_max = _SLICE_BYTES
    """How much is parsed at once if no more has come: most of what honest clients send."""
    ignores_input = False
    _unparsed = b""
    _is_waiting = False

    def parse(self, data: bytes) -> None:
        """Parse a small part of what has come."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        if self.ignores_input:
            return
        if not self._unparsed and len(data) <= self.whole_bytes_max:
            self.parse(data)
            return
        self._unparsed += data
        if not self._is_waiting:
            self._take_turn()

    def resume_receiving(self) -> None:
        if not self._unparsed:
            super().resume_receiving()
        elif not self._is_waiting:
            self._wait_for_turn()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ignores_input = True
        super().connection_lost(exc)

    def _wait_for_turn(self) -> None:
        self._is_waiting = True
        self.loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._is_waiting = False
        end, index = self.loop.time() + _TURN_SECONDS, 0
        unparsed, self._unparsed = self._unparsed, b""
        while index < len(unparsed) and not self.ignores_input and not self.transport.is_closing():
            self.parse(unparsed[index : index + _SLICE_BYTES])
            index += _SLICE_BYTES
            if self.is_held or self.loop.time() > end:
                break
        if self.ignores_input or self.transport.is_closing():
            return
        self._unparsed = unparsed[index:]
        if self._unparsed:
            self.transport.pause_reading()
            if not self.is_held:
                self._wait_for_turn()
        elif not self.is_held:
            self.transport.resume_reading()
