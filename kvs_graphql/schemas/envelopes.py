"""Debezium's envelopes of a table: which of them delete their rows."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from kvs_graphql.formats import BadSchema, FormatLimits, SchemaText, Undecodable, json_op, load_op_reader
from kvs_graphql.formats.framing import FRAME_BYTES, schema_id_of

_DELETE = "d"

OpReader = Callable[[bytes], str]


class JsonEnvelopes:
    """Envelopes in JSON, with or without the schema that may be around them."""

    async def known(self, values: Iterable[bytes | None]) -> None:
        """Nothing else is needed."""

    def is_delete(self, value: bytes) -> bool:
        """Whether a value is an envelope that says that its row was deleted."""
        return _is_delete(json_op, value)


class AvroEnvelopes:
    """Envelopes in Avro; their schemas come from the registry, or are one from a file."""

    def __init__(
        self, schema: SchemaText | None, find: Callable[[int], Awaitable[SchemaText | None]], limits: FormatLimits
    ) -> None:
        """`find` returns the schema with an id however long that takes; None where the registry has none."""
        self._schema = schema
        self._find = find
        self._limits = limits
        self._readers: dict[int | None, OpReader | None] = {}

    async def known(self, values: Iterable[bytes | None]) -> None:
        """Return once the schemas of these envelopes are known, however long the registry is away."""
        needed = {None if self._schema else schema_id_of(value) for value in values if value}
        for schema_id in needed - self._readers.keys():
            schema = self._schema if schema_id is None else await self._find(schema_id)
            self._readers[schema_id] = None if schema is None else await self._reader(schema)

    def is_delete(self, value: bytes) -> bool:
        """Whether a value is an envelope that says that its row was deleted."""
        schema_id = None if self._schema else schema_id_of(value)
        reader = self._readers.get(schema_id)
        payload = value if self._schema else value[FRAME_BYTES:]
        return reader is not None and _is_delete(reader, payload)

    async def _reader(self, schema: SchemaText) -> OpReader | None:
        try:
            return await asyncio.to_thread(partial(load_op_reader, schema, self._limits))
        except BadSchema:
            # Not a schema of envelopes: its records delete nothing, and say when they are read what they are not.
            return None


def _is_delete(read: OpReader, value: bytes) -> bool:
    try:
        return read(value) == _DELETE
    except Undecodable:
        return False
