"""What an attack did, and how the service answered."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """Counts of one attack."""

    sent: int = 0
    """Requests, messages or frames."""
    opened: int = 0
    """Connections that the service accepted."""
    open_max: int = 0
    """Most connections open at a time."""
    bytes_read: int = 0
    held: bool = False
    """Whether all connections were opened that were to be held open."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Answers by error code, else by status; ends of connections as `closed`, those of WebSockets with their code."""

    def as_message(self) -> dict[str, Any]:
        """Return the counts as JSON can hold them."""
        counts = {"sent": self.sent, "opened": self.opened, "open_max": self.open_max, "bytes_read": self.bytes_read}
        return {**counts, "held": self.held, "outcomes": dict(self.outcomes)}

    @classmethod
    def of_messages(cls, messages: list[dict[str, Any]]) -> "Tally":
        """Add up what several attackers counted."""
        tally = cls()
        for message in messages:
            tally.sent += message["sent"]
            tally.opened += message["opened"]
            tally.open_max += message["open_max"]
            tally.bytes_read += message["bytes_read"]
            tally.held |= message["held"]
            tally.outcomes.update(message["outcomes"])
        return tally
