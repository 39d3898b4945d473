"""Server-Sent Events in a chunked HTTP/1.1 response, as far as a client of many thousand events a second needs them.

The formats: RFC 9112, section 7.1 (chunks) and the HTML standard, section 9.2.6 (event streams).
"""

from collections.abc import Iterator

_END_OF_HEAD = b"\r\n\r\n"
_END_OF_LINE = b"\r\n"


class StreamRefused(Exception):
    """The server answers with something other than an event stream, or ends the stream."""


class EventReader:
    """Cuts the bytes of one response into events."""

    def __init__(self) -> None:
        self.opened = False
        self._unread = b""
        self._event = b""
        self._blank_line = b""

    def events(self, data: bytes) -> Iterator[tuple[bytes, int, int]]:
        """Yield each complete event as a buffer, with the start and the end of the event in it.

        Raises:
            StreamRefused: The server refuses or ends the stream.
        """
        for buffer, start, end in self._chunks(self._unread + data):
            if self._event:
                joined = self._event + buffer[start:end]
                yield from self._split(joined, 0, len(joined))
            else:
                yield from self._split(buffer, start, end)

    def _split(self, buffer: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        blank_line = self._blank_line or self._detect_blank_line(buffer, start, end)
        size = len(blank_line)
        at = start
        while (stop := buffer.find(blank_line, at, end)) >= 0:
            yield buffer, at, stop
            at = stop + size
        self._event = buffer[at:end]

    def _detect_blank_line(self, buffer: bytes, start: int, end: int) -> bytes:
        """Return what ends the events of this stream, which uses the line end of its first line throughout."""
        newline = buffer.find(b"\n", start, end)
        line_end = _END_OF_LINE if buffer[newline - 1 : newline] == b"\r" else b"\n"
        if newline >= 0:
            self._blank_line = 2 * line_end
        return 2 * line_end

    def _chunks(self, data: bytes) -> Iterator[tuple[bytes, int, int]]:
        at = 0 if self.opened else self._body_start(data)
        while self.opened:
            start = data.find(_END_OF_LINE, at) + len(_END_OF_LINE)
            if start < len(_END_OF_LINE):
                break
            end = start + int(data[at : start - len(_END_OF_LINE)], 16)
            if end == start:
                raise StreamRefused("the server ended the stream")
            if end + len(_END_OF_LINE) > len(data):
                break
            yield data, start, end
            at = end + len(_END_OF_LINE)
        self._unread = data[at:]

    def _body_start(self, data: bytes) -> int:
        """Return where the head ends; 0 while it is incomplete."""
        end = data.find(_END_OF_HEAD)
        if end < 0:
            return 0
        head = data[:end].lower()
        if not head.startswith(b"http/1.1 200") or b"text/event-stream" not in head or b"chunked" not in head:
            raise StreamRefused(data[:400].decode(errors="replace"))
        self.opened = True
        return end + len(_END_OF_HEAD)
