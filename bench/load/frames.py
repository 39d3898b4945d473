"""The parts of WebSockets (RFC 6455) that a client of many thousand messages a second needs.

A server's messages are unmasked and, here, never fragmented; a client's messages are masked, with zeros.
"""

from collections.abc import Iterator

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
_FINAL = 0x80
_MASKED = 0x80
_MASK = bytes(4)
_LENGTH_IN_2, _LENGTH_IN_8 = 126, 127
_END_OF_HEAD = b"\r\n\r\n"


class NotUpgraded(Exception):
    """The server refuses the handshake."""


def handshake(port: int, path: str, protocol: str) -> bytes:
    """Return the request for a WebSocket. The client does not verify sec-websocket-accept in the answer."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"host: 127.0.0.1:{port}",
        "upgrade: websocket",
        "connection: Upgrade",
        "sec-websocket-key: YmVuY2htYXJrLWtleS0xMg==",
        "sec-websocket-version: 13",
        f"sec-websocket-protocol: {protocol}",
    )
    return "\r\n".join(lines).encode() + _END_OF_HEAD


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return the frame of a client's message."""
    size = len(payload)
    if size < _LENGTH_IN_2:
        length = bytes([_MASKED | size])
    elif size < 1 << 16:
        length = bytes([_MASKED | _LENGTH_IN_2]) + size.to_bytes(2, "big")
    else:
        length = bytes([_MASKED | _LENGTH_IN_8]) + size.to_bytes(8, "big")
    return bytes([_FINAL | opcode]) + length + _MASK + payload


class Reader:
    """Cuts the bytes that a server sends into messages."""

    def __init__(self) -> None:
        self.upgraded = False
        self._rest = b""

    def messages(self, data: bytes) -> Iterator[tuple[int, bytes, int, int]]:
        """Yield the opcode of each complete message, a buffer, and the start and the end of the payload in it.

        Raises:
            NotUpgraded: The server refused the handshake.
        """
        if self._rest:
            data = self._rest + data
        at = 0
        if not self.upgraded:
            at = _body_start(data)
            self.upgraded = at > 0
            if not self.upgraded:
                self._rest = data
                return
        size = len(data)
        while size - at >= 2:
            length, start = data[at + 1], at + 2
            if length == _LENGTH_IN_2:
                start += 2
                length = int.from_bytes(data[at + 2 : start], "big")
            elif length == _LENGTH_IN_8:
                start += 8
                length = int.from_bytes(data[at + 2 : start], "big")
            end = start + length
            if start > size or end > size:
                break
            yield data[at] & 0x0F, data, start, end
            at = end
        self._rest = data[at:]


def _body_start(data: bytes) -> int:
    """Return where the answer to the handshake ends; 0 while it is incomplete."""
    end = data.find(_END_OF_HEAD)
    if end < 0:
        return 0
    if not data.startswith(b"HTTP/1.1 101"):
        raise NotUpgraded(data[:300].decode(errors="replace"))
    return end + len(_END_OF_HEAD)
