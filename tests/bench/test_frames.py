"""The parts of WebSockets that the load generator needs."""

import pytest

from bench.load.frames import PING, TEXT, NotUpgraded, Reader, frame

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n"


def _from_server(payload: bytes, opcode: int = TEXT) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + payload


def _read(reader: Reader, data: bytes) -> list[tuple[int, bytes]]:
    return [(opcode, buffer[start:end]) for opcode, buffer, start, end in reader.messages(data)]


@pytest.mark.parametrize("step", [1, 2, 7, 100_000])
def test_messages_of_every_length_arrive_whole_however_the_bytes_are_cut(step: int) -> None:
    messages = [(TEXT, b"a" * 5), (PING, b""), (TEXT, b"b" * 126), (TEXT, b"c" * 300)]
    stream = HEAD + b"".join(_from_server(payload, opcode) for opcode, payload in messages)
    reader = Reader()
    found = [one for at in range(0, len(stream), step) for one in _read(reader, stream[at : at + step])]
    assert found == messages


def test_a_refused_handshake_shows_the_answer() -> None:
    with pytest.raises(NotUpgraded, match="403"):
        list(Reader().messages(b"HTTP/1.1 403 Forbidden\r\n\r\n"))


def test_a_clients_message_is_masked() -> None:
    assert frame(b"hi") == b"\x81\x82\0\0\0\0hi"
    assert frame(b"x" * 200)[:4] == b"\x81\xfe\x00\xc8"
