"""The requests of the load generator, and the floor that answers them."""

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bench.data import key, value
from bench.floors.reads import BareReads, connect
from bench.load.reads import is_right, prepare
from bench.payments import AVRO, FIELDS, format_of, framed, payment

KEYS = 500


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A table as the service writes it, in as many columns as the floor reads."""
    path = tmp_path / "kvs.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE entry (key BLOB PRIMARY KEY, value BLOB, partition, offset, timestamp)")
        rows = [(key(number), value(number), 0, number, 1) for number in range(KEYS)]
        connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", rows)
    return path


async def _answer(floor: BareReads, request: bytes) -> bytes:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.partition(b"\r\n\r\n")[2], "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await floor({"type": "http"}, receive, send)
    assert sent[0]["status"] == 200
    return bytes(sent[1]["body"])


@pytest.mark.parametrize(("kind", "size"), [("one", 1), ("many", 20), ("page", 100)])
async def test_the_floor_answers_every_kind_of_request_rightly(database: Path, kind: str, size: int) -> None:
    with closing(connect(database)) as connection:
        for request in prepare(kind, KEYS, size, seed=1)[:20]:
            answer = await _answer(BareReads(connection), request.data)
            assert is_right(request, answer)
            assert not is_right(request, answer.replace(b"key-", b"kez-", 1))


async def test_the_floor_of_typed_values_answers_rightly(database: Path) -> None:
    form = format_of(AVRO)
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("UPDATE entry SET value = ?", (framed(1, form.encode(payment(1))),))
    with closing(connect(database)) as connection:
        floor = BareReads(connection, form.read)
        for request in prepare("page", KEYS, 100, seed=1, entry=f"key data {{ {FIELDS} }}")[:5]:
            answer = await _answer(floor, request.data)
            assert is_right(request, answer)
            assert answer.count(b'"customer":"customer-0001"') == 100


def test_principals_ask_in_turn() -> None:
    requests = prepare("one", KEYS, 1, seed=1, tokens=("ann", "bob"))
    asking = [request.data.partition(b"authorization: Bearer ")[2][:3] for request in requests]
    assert set(asking) == {b"ann", b"bob"}
    assert all(one != other for one, other in pairwise(asking))
    assert b"authorization" not in prepare("one", KEYS, 1, seed=1)[0].data
