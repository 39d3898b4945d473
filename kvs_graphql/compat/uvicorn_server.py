"""uvicorn's undocumented names: where its server accepts connections, and the order in which it stops."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import uvicorn

from kvs_graphql.compat.uvicorn import State


class Accepting(Protocol):
    """What uvicorn needs of an `asyncio.Server` to stop it (`servers`)."""

    def close(self) -> None:
        """Accept no more connections."""

    async def wait_closed(self) -> None:
        """Return once that has ended."""


class Server(uvicorn.Server):
    """uvicorn's server, with hooks where it accepts connections and before it ends them, and signals that only stop it.

    uvicorn's own `capture_signals` raises a signal again once the server has ended, which would kill the process before
    the other rooms have stopped. `shutdown` is the only place between the decision to stop and the end of connections.
    """

    server_state: State

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state = State()

    def new_connection(self) -> asyncio.Protocol:
        """Make a connection as uvicorn does (`http_protocol_class`, `server_state`, `lifespan.state`)."""
        connection: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return connection

    async def accepting(self, listener: socket.socket) -> Accepting:
        """Begin to accept the connections of a listening socket; without a hook, as the event loop does it."""
        return await asyncio.get_running_loop().create_server(self.new_connection, sock=listener)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        self.servers = [await self.accepting(listener) for listener in sockets or ()]  # type: ignore[misc]

    async def before_shutdown(self) -> None:
        """Do what comes before connections are ended."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.before_shutdown()
        self.server_state.is_ending = True
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    @property
    def stopping(self) -> bool:
        """Whether the server ends, or will soon (`should_exit`)."""
        return self.should_exit

    def stop(self) -> None:
        """Begin to stop."""
        self.should_exit = True
