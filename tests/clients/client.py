"""The rows and columns of the matrix in docs/clients.md: clients, and what each of them can do here."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Capability(StrEnum):
    """A column of the matrix."""

    QUERY = "query"
    MUTATION = "mutation"
    WEBSOCKET = "WebSocket"
    SSE = "SSE"
    MULTIPART = "multipart"
    RESUME = "resume"
    DELETE = "delete in the cache"


TRANSPORTS = (Capability.WEBSOCKET, Capability.SSE, Capability.MULTIPART)


@dataclass(frozen=True)
class Client:
    """A row of the matrix. Every capability is a test: see checks.py.

    Attributes:
        name: The client's name in the documentation.
        version: The version that its lock file or requirement asks for.
        installed: Returns the version that is installed.
        command: The command line of its program, to which the URL of the service is added; see program.py.
        directory: Where the program runs.
        missing: Returns why the program cannot run on this machine, or an empty string. It may install what is needed.
        required_by: The environment variable that makes a missing tool a failure instead of a skip.
        mark: The pytest mark of its tests.
        can: What the program can do. It resumes over the first of its transports.
        setup: The file that the documentation shows, if any: the setup that the program uses.
        note: Markdown that the documentation shows before the setup.
    """

    name: str
    version: str
    installed: Callable[[], str]
    command: tuple[str, ...]
    directory: Path
    missing: Callable[[], str]
    required_by: str
    mark: str
    can: frozenset[Capability]
    setup: Path | None = None
    note: str = ""

    @property
    def transports(self) -> list[Capability]:
        """The transports of its subscriptions, in the order of the columns."""
        return [transport for transport in TRANSPORTS if transport in self.can]

    @property
    def capabilities(self) -> list[Capability]:
        """What it can do, in the order of the columns."""
        return [capability for capability in Capability if capability in self.can]
