"""The least that a read can cost in Python: bare ASGI, orjson, and one SQLite statement on the service's own table.

Typed values are decoded by their format's library alone.
"""

import sqlite3
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
from starlette.types import Receive, Scope, Send

from bench.floors.serving import serve
from bench.payments import Read, format_of

_COLUMNS = "key, value, partition, offset, timestamp"
_ONE = f"SELECT {_COLUMNS} FROM entry WHERE key = ?"
_MANY = f"SELECT {_COLUMNS} FROM entry WHERE key IN ({{}})"
_PAGE = f"SELECT {_COLUMNS} FROM entry WHERE key > ? ORDER BY key LIMIT ?"
_CACHE_KIB = 32 * 1024
# As long as the service's cursor, so that answers have the same size.
_CURSOR = "c" * 44
_EMPTY_REQUEST = b'{"variables": {"keys": []}}'

Row = tuple[bytes, bytes, int, int, int]
Show = Callable[[Row], dict[str, Any]]


class BareReads:
    """An ASGI application whose answer depends on the variables: `key`, `keys`, or `first` and `after`."""

    def __init__(self, connection: sqlite3.Connection, read: Read | None = None) -> None:
        """`read` is for typed values."""
        self._connection = connection
        self._show = _entry if read is None else _typed_entry(read)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = orjson.loads(await _body(receive) or _EMPTY_REQUEST)
        answer = orjson.dumps({"data": self._data(request["variables"]), "extensions": {"cursor": _CURSOR}})
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _data(self, variables: dict[str, Any]) -> dict[str, Any]:
        execute, show = self._connection.execute, self._show
        if "key" in variables:
            row = execute(_ONE, (variables["key"].encode(),)).fetchone()
            return {"value": row and show(row)}
        if "keys" in variables:
            keys = [key.encode() for key in variables["keys"]]
            # One statement per key takes twice as long.
            found = {row[0]: row for row in execute(_MANY.format(", ".join("?" * len(keys))), keys)}
            return {"values": [show(found[key]) if key in found else None for key in keys]}
        after = variables["after"]
        rows = execute(_PAGE, (urlsafe_b64decode(after + "=" * (-len(after) % 4)), variables["first"]))
        return {"entries": {"edges": [{"node": show(row)} for row in rows]}}


def connect(database: Path) -> sqlite3.Connection:
    """Open a read-only connection with the page cache of the floor."""
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    return connection


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _entry(row: Row) -> dict[str, Any]:
    key, value, partition, offset, timestamp = row
    return {
        "key": key.decode(),
        "value": value.decode(),
        "partition": partition,
        "offset": offset,
        "timestamp": datetime.fromtimestamp(timestamp / 1000, UTC),
    }


def _typed_entry(read: Read) -> Show:
    return lambda row: {"key": row[0].decode(), "data": read(row[1])}


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--database", type=click.Path(path_type=Path), required=True)
@click.option("--values", help="Format of typed values.")
def main(port: int, database: Path, values: str | None) -> None:
    """Serve the floor of reads."""
    serve(BareReads(connect(database), None if values is None else format_of(values).read), port)


if __name__ == "__main__":
    main()
