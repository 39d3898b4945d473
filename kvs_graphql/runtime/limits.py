"""The limits on connections."""

from dataclasses import dataclass

FAREWELL_SECONDS = 2.0
"""How long a client has to read why it is disconnected."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Limits on connections, in numbers, bytes and seconds.

    `send_buffer_bytes_max` bounds what waits for a client in this process, and again what waits in the kernel.
    `slow_client_seconds_max` is how long a client may leave these buffers full.
    """

    connections_max: int
    connections_per_client_max: int
    websockets_max: int
    url_bytes_max: int
    head_bytes_max: int
    head_seconds_max: float
    message_bytes_max: int
    control_frames_per_second_max: int
    body_seconds_max: float
    unread_bytes_max: int
    unfinished_bytes_max: int
    send_buffer_bytes_max: int
    slow_client_seconds_max: float
    ping_seconds: float
    pong_seconds_max: float
    shutdown_seconds_max: float

    @property
    def framed_body_bytes_max(self) -> int:
        """The bytes of a body with the framing of its chunks, of which clients that send small ones need much."""
        return 2 * self.message_bytes_max + self.head_bytes_max

    @property
    def shutdown_farewell_seconds(self) -> float:
        """How long a client has to read it during a shutdown: at most half of the shutdown's own limit."""
        return min(FAREWELL_SECONDS, self.shutdown_seconds_max / 2)
