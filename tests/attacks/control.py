"""The control: a bare server that answers the canary, whatever it asks. It shows the machine's share of a delay."""

import click
from starlette.types import Receive, Scope, Send

from bench.floors.serving import serve

_ANSWER = b'{"data":{"value":{"value":"0"}}}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_ANSWER))]


async def answer(_: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


@click.command()
@click.option("--port", type=int, required=True)
def main(port: int) -> None:
    """Serve the control."""
    serve(answer, port)


if __name__ == "__main__":
    main()
