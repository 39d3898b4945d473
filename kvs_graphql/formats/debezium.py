"""Debezium's envelopes in JSON, and what all of its envelopes have in common.

An envelope says what happened to a row: `op` is `c` (created), `r` (read by a snapshot), `u` (updated) or `d`
(deleted); `after` is the row as it is then. In JSON, a schema may be around it, and around keys: `{"schema": …,
"payload": …}`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from kvs_graphql.exact_json import ExactJson, LargeJson, NotJsonText, parse
from kvs_graphql.formats.errors import Undecodable

_OPS = frozenset("crud")
_WRAPPED = frozenset({"schema", "payload"})


@dataclass(frozen=True, slots=True)
class Envelope:
    """What happened to a row."""

    op: str
    after: bytes | None
    """The row as JSON; None after it was deleted."""

    @property
    def is_delete(self) -> bool:
        """Whether the row is gone."""
        return self.op == "d"


def require_op(op: Any) -> str:
    """What an envelope has as its `op`, if it is one of those that rows have.

    Raises:
        Undecodable: It is not.
    """
    if isinstance(op, str) and op in _OPS:
        return op
    raise Undecodable("it is no envelope of Debezium: its op is not c, r, u or d")


def json_op(raw: bytes) -> str:
    """The `op` of an envelope in JSON.

    Raises:
        Undecodable: The text is no envelope.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        # It may be JSON all the same, with a number that no double is near to, or deeper than orjson goes.
        return json_envelope(raw).op
    if not isinstance(value, dict):
        raise Undecodable("it is no envelope of Debezium: it is not a JSON object")
    payload = value["payload"] if value.keys() == _WRAPPED else value
    return require_op(payload.get("op") if isinstance(payload, dict) else None)


def json_envelope(raw: bytes) -> Envelope:
    """An envelope in JSON. Its row has its numbers as they were written.

    Raises:
        Undecodable: The text is no envelope.
    """
    with _undecodable():
        text = parse(raw)
        path = _payload_path(text)
        op, after = text.part((*path, "op")), text.part((*path, "after"))
    name = require_op(op and orjson.loads(op))
    if after is None and name != "d":
        raise Undecodable(f"it is no envelope of Debezium: its op is {name}, and there is nothing after it")
    return Envelope(name, after)


def json_payload(raw: bytes) -> bytes:
    """The JSON of a key or value without the schema that may be around it.

    Raises:
        Undecodable: The text is not JSON.
    """
    with _undecodable():
        text = parse(raw)
        return text.part(_payload_path(text)) or b"null"


@contextmanager
def _undecodable() -> Iterator[None]:
    """A text that is not JSON, or too deep to find something in it, cannot be decoded."""
    try:
        yield
    except NotJsonText as error:
        raise Undecodable(f"it is not JSON: {error}") from error


def _payload_path(text: ExactJson | LargeJson) -> Sequence[str]:
    return ("payload",) if frozenset(text.names()) == _WRAPPED else ()
