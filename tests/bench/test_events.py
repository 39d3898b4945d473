"""The reader of Server-Sent Events in a chunked response."""

import pytest

from bench.load.events import EventReader, StreamRefused

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunk(payload: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(payload), payload)


def _read(reader: EventReader, data: bytes) -> list[bytes]:
    return [buffer[start:end] for buffer, start, end in reader.events(data)]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("step", [1, 2, 7, 100_000])
def test_events_arrive_whole_however_the_bytes_and_the_chunks_are_cut(step: int, line_end: bytes) -> None:
    events = [b"id: 1" + line_end + b"data: a", b": ping", b"data: " + b"b" * 300, b"data: c"]
    first, second, third, fourth = (event + 2 * line_end for event in events)
    chunks = [first, second + third[:10], third[10:-1], third[-1:] + fourth]
    stream = HEAD + b"".join(map(_chunk, chunks))
    reader = EventReader()
    found = [event for at in range(0, len(stream), step) for event in _read(reader, stream[at : at + step])]
    assert found == events


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
)
def test_an_answer_that_is_no_event_stream_is_refused(head: bytes) -> None:
    with pytest.raises(StreamRefused, match=r"HTTP/1\.1"):
        _read(EventReader(), head)


def test_the_end_of_the_stream_is_noticed() -> None:
    reader = EventReader()
    assert _read(reader, HEAD + _chunk(b"data: a\n\n")) == [b"data: a"]
    with pytest.raises(StreamRefused, match="ended"):
        _read(reader, b"0\r\n\r\n")
