"""What each cell of the matrix means: one check per capability."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from tests.clients.client import Capability
from tests.clients.program import Program
from tests.clients.proxy import Line
from tests.serving import ServedTopic
from tests.transports import until_active


@dataclass(frozen=True)
class Trial:
    """A client, the connections to the service that it uses, and a key of its own."""

    program: Program
    topic: ServedTopic
    line: Line
    key: str

    async def write(self, *values: bytes | None) -> None:
        await self.topic.write(*((self.key.encode(), value) for value in values))

    async def applied(self) -> None:
        """Wait until all that was written before is applied: the topic has one partition."""
        await self.topic.write((b"last", b""))

    async def until_active(self, subscriptions: int, transport: Capability) -> None:
        await until_active(self.topic.served.http, subscriptions, transport.lower())


Check = Callable[[Trial], Awaitable[None]]


async def _query(trial: Trial) -> None:
    await trial.write(b"1")
    assert await trial.program.query(trial.key) == "1"
    assert await trial.program.query(f"{trial.key}/absent") is None


async def _mutation(trial: Trial) -> None:
    assert await trial.program.set(trial.key, "1") == "1"
    await trial.applied()
    assert await trial.program.query(trial.key) == "1"
    await trial.program.delete(trial.key)
    await trial.applied()
    assert await trial.program.query(trial.key) is None


async def _subscription(transport: Capability, trial: Trial) -> None:
    async with trial.program.subscribed(transport, trial.key) as updates:
        await trial.until_active(1, transport)
        await trial.write(b"1", b"2", None)
        assert [await updates.next_change() for _ in range(3)] == [("SET", "1"), ("SET", "2"), ("DELETE", None)]
    await trial.until_active(0, transport)


async def _resume(trial: Trial) -> None:
    """A connection is lost; each change arrives once, also those of meanwhile."""
    transport = trial.program.client.transports[0]
    async with trial.program.subscribed(transport, trial.key) as updates:
        await trial.write(b"1")
        assert await updates.next_change() == ("SET", "1")
        trial.line.cut()
        await trial.until_active(0, transport)
        await trial.write(b"2", None)
        assert [await updates.next_change() for _ in range(2)] == [("SET", "2"), ("DELETE", None)]
        await trial.write(b"3")
        assert await updates.next_change() == ("SET", "3")
    await trial.until_active(0, transport)


async def _delete(trial: Trial) -> None:
    """What is deleted leaves the cache: by an update, and by a mutation of this client."""
    program, transport = trial.program, trial.program.client.transports[0]
    await trial.write(b"1")
    assert await program.query(trial.key) == "1"
    assert await program.cached(trial.key) == "1"
    async with program.subscribed(transport, trial.key) as updates:
        await trial.write(None)
        assert await updates.next_change() == ("DELETE", None)
        assert await program.cached(trial.key) is None
    await trial.until_active(0, transport)
    await trial.write(b"2")
    assert await program.query(trial.key) == "2"
    assert await program.cached(trial.key) == "2"
    await program.delete(trial.key)
    assert await program.cached(trial.key) is None


CHECKS: dict[Capability, Check] = {
    Capability.QUERY: _query,
    Capability.MUTATION: _mutation,
    Capability.WEBSOCKET: partial(_subscription, Capability.WEBSOCKET),
    Capability.SSE: partial(_subscription, Capability.SSE),
    Capability.MULTIPART: partial(_subscription, Capability.MULTIPART),
    Capability.RESUME: _resume,
    Capability.DELETE: _delete,
}
