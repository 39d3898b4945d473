"""The least that a read can cost in Python: bare ASGI, orjson, and one SQLite statement on the service's own table."""

import sqlite3
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
from starlette.types import Receive, Scope, Send

from bench.floors.serving import serve

_COLUMNS = "key, value, partition, offset, timestamp"
_ONE = f"SELECT {_COLUMNS} FROM entry WHERE key = ?"
_MANY = f"SELECT {_COLUMNS} FROM entry WHERE key IN ({{}})"
_PAGE = f"SELECT {_COLUMNS} FROM entry WHERE key > ? ORDER BY key LIMIT ?"
_CACHE_KIB = 32 * 1024
# As long as the service's cursor, so that answers have the same size.
_CURSOR = "c" * 44
_EMPTY_REQUEST = b'{"variables": {"keys": []}}'


class BareReads:
    """An ASGI application whose answer depends on the variables: `key`, `keys`, or `first` and `after`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = orjson.loads(await _body(receive) or _EMPTY_REQUEST)
        answer = orjson.dumps({"data": self._data(request["variables"]), "extensions": {"cursor": _CURSOR}})
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _data(self, variables: dict[str, Any]) -> dict[str, Any]:
        execute = self._connection.execute
        if "key" in variables:
            return {"value": _entry(execute(_ONE, (variables["key"].encode(),)).fetchone())}
        if "keys" in variables:
            keys = [key.encode() for key in variables["keys"]]
            # One statement per key takes twice as long.
            found = {row[0]: row for row in execute(_MANY.format(", ".join("?" * len(keys))), keys)}
            return {"values": [_entry(found.get(key)) for key in keys]}
        after = variables["after"]
        rows = execute(_PAGE, (urlsafe_b64decode(after + "=" * (-len(after) % 4)), variables["first"]))
        return {"entries": {"edges": [{"node": _entry(row)} for row in rows]}}


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


def _entry(row: tuple[bytes, bytes, int, int, int] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    key, value, partition, offset, timestamp = row
    return {
        "key": key.decode(),
        "value": value.decode(),
        "partition": partition,
        "offset": offset,
        "timestamp": datetime.fromtimestamp(timestamp / 1000, UTC),
    }


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--database", type=click.Path(path_type=Path), required=True)
def main(port: int, database: Path) -> None:
    """Serve the floor of reads."""
    serve(BareReads(connect(database)), port)


if __name__ == "__main__":
    main()
