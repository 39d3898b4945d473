"""The least that a delivery can cost in Python: a ready payload, sent through uvicorn's WebSocket.

Each client sends the key numbers that it wants. `POST /start` with a schedule starts the application's timer.
"""

import asyncio
from collections import defaultdict

import click
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bench.data import stamped
from bench.floors.serving import serve
from bench.schedule import Schedule

_FILLER = "f"


class BareSends:
    """An ASGI application without GraphQL, without a table and without Kafka."""

    def __init__(self, payload_bytes: int) -> None:
        self._payload_bytes = payload_bytes
        self._sends: defaultdict[int, set[Send]] = defaultdict(set)
        self._http = Starlette(routes=[Route("/start", self._start, methods=["POST"])])
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(receive, send)
        else:
            await self._http(scope, receive, send)

    async def _socket(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "bare"})
        keys: list[int] = orjson.loads((await receive())["text"])["keys"]
        for number in keys:
            self._sends[number].add(send)
        try:
            await send({"type": "websocket.send", "text": '{"type":"pong"}'})
            while (await receive())["type"] != "websocket.disconnect":
                pass
        finally:
            for number in keys:
                self._sends[number].discard(send)

    async def _start(self, request: Request) -> Response:
        task = asyncio.create_task(self._run(Schedule(**await request.json())))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return Response(status_code=202)

    async def _run(self, schedule: Schedule) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for second, updates in schedule.ticks():
            await asyncio.sleep(max(0.0, began + second - loop.time()))
            for key_number, number in updates:
                text = stamped(schedule.run, key_number, number).decode()
                message = {"type": "websocket.send", "text": text.ljust(self._payload_bytes, _FILLER)}
                for send in list(self._sends[key_number]):
                    await send(message)


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--payload-bytes", type=int, required=True)
def main(port: int, payload_bytes: int) -> None:
    """Serve the floor of fan-out."""
    serve(BareSends(payload_bytes), port)


if __name__ == "__main__":
    main()
