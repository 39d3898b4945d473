"""Values with a schema: from the bytes of a record to decoded values, with or without a registry's framing."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kvs_graphql.formats.codec import Check, Codec, SchemaText
from kvs_graphql.formats.errors import BadSchema, DoesNotFit, Undecodable
from kvs_graphql.formats.framing import FRAME_BYTES, frame, schema_id_of

_UNTOLD = Undecodable("the registry did not tell the schema")


class SchemaFormat:
    """The format of a table's keys or values, as one generation of its schema has it."""

    def __init__(
        self,
        codec: Codec,
        served: SchemaText | None = None,
        served_id: int | None = None,
        schemas: Mapping[int, SchemaText] | None = None,
    ) -> None:
        """`served` is None for a format without a schema; parsing it takes long.

        Where records are framed, `served_id` is its id, and `schemas` has the texts by id; more may be added meanwhile.
        """
        self.shape = codec.shape
        self.converts_to_json = codec.converts_to_json
        self.served_id = served_id
        self._codec = codec
        self._schemas: Mapping[int, SchemaText] = {} if schemas is None else schemas
        self._writers: dict[bytes, Any] = {}
        """By what is before the payload. JSON Schema has None for each: it reads without the writer's schema."""
        self._only_writer = None if served is None or served_id is not None else self._parsed(served)
        """That of records without a frame."""

    @property
    def is_framed(self) -> bool:
        """Whether records name the schema that they were written with."""
        return self.served_id is not None

    def unready(self, raws: Iterable[bytes | None]) -> set[int]:
        """The ids of the schemas that these bytes need, and that are not ready to decode with."""
        frames = {raw[:FRAME_BYTES] for raw in raws if raw is not None} - self._writers.keys()
        return {schema_id for one in frames if (schema_id := schema_id_of(one)) is not None}

    def make_ready(self, ids: Iterable[int]) -> None:
        """Parse the schemas with these ids that are there. That takes long: it is not for the event loop."""
        for schema_id in ids:
            if (schema := self._schemas.get(schema_id)) is not None:
                one = frame(schema_id, b"")
                if one not in self._writers:
                    self._writers[one] = self._parsed(schema)

    def decode(self, raw: bytes, check: Check = None) -> Any:
        """A decoded value; what `check` raises ends it.

        Raises:
            Undecodable: The bytes are not what their schema says, or there is no such schema.
        """
        if self.served_id is None:
            return self._codec.decode(raw, self._only_writer, check)
        writer = self._writers.get(raw[:FRAME_BYTES], _UNTOLD)
        if writer.__class__ is Undecodable:
            raise _refusal(raw, writer)
        try:
            return self._codec.decode(raw[FRAME_BYTES:], writer, check)
        except Undecodable as error:
            raise _refusal(raw, error) from None

    def encode(self, value: Any) -> bytes:
        """The bytes of a record. Raises: DoesNotFit: The schema has no room for the value."""
        payload = self._codec.encode(value)
        return payload if self.served_id is None else frame(self.served_id, payload)

    def as_json(self, decoded: Any, check: Check = None) -> bytes:
        """A decoded value as JSON text; what `check` raises ends it."""
        return self._codec.as_json(decoded, check)

    def _parsed(self, schema: SchemaText) -> Any:
        """A writer's schema; the error for its values where it cannot be used."""
        try:
            return self._codec.parse(schema)
        except BadSchema as error:
            return Undecodable(str(error))


def _refusal(raw: bytes, error: Undecodable) -> Undecodable:
    """The error for a framed value that cannot be decoded, with the id of its schema."""
    schema_id = schema_id_of(raw)
    if schema_id is None:
        return Undecodable("the bytes do not begin with a schema's id")
    return Undecodable(error.reason, schema_id)


class KeyFormat(SchemaFormat):
    """The format of keys with a schema, of which a registry's framing makes several encodings of the same key."""

    def __init__(
        self,
        codec: Codec,
        served: SchemaText | None = None,
        served_id: int | None = None,
        schemas: Mapping[int, SchemaText] | None = None,
        encoders: Mapping[int, Codec] | None = None,
    ) -> None:
        """`encoders` has the codec of each schema that keys in the table are written with; there may be more later."""
        super().__init__(codec, served, served_id, schemas)
        self._encoders = encoders if encoders is not None else {}

    def encodings(self, value: Any) -> list[bytes]:
        """The bytes of a key under each schema that the table's keys are written with; the served one comes first.

        Raises:
            DoesNotFit: The served schema has no room for it.
        """
        own = self.encode(value)
        others: list[bytes] = []
        for schema_id, codec in self._encoders.items():
            if schema_id != self.served_id:
                with suppress(DoesNotFit):
                    others.append(frame(schema_id, codec.encode(value)))
        return [own, *others]


async def _load_nothing(_: Collection[int]) -> None:
    """Where values are not framed, nothing is ever missing."""


@dataclass(frozen=True, slots=True, eq=False)
class TableFormats:
    """The formats of a table, as one generation of its schemas has them."""

    value: SchemaFormat | None = None
    """None for bytes, which clients read as text or JSON."""
    key: KeyFormat | None = None
    """None for bytes, which clients read as text."""
    json_of: Callable[[bytes], bytes] | None = None
    """From a value without a schema to its JSON; None where that is the value itself, if it is any."""
    key_json: Callable[[bytes], bytes] | None = None
    """From a key without a schema to its JSON; None where keys are not shown as JSON."""
    load: Callable[[Collection[int]], Awaitable[None]] = _load_nothing
    """Loads the schemas with these ids, as far as that takes no longer than a request should wait; never raises."""

    @property
    def are_framed(self) -> bool:
        """Whether schemas have to be loaded before records can be shown."""
        return any(form is not None and form.is_framed for form in (self.key, self.value))

    async def prepare(self, keys: Iterable[bytes], values: Iterable[bytes | None]) -> None:
        """Have the schemas of these records ready. One that cannot be loaded in time stays unknown."""
        for form, raws in ((self.key, keys), (self.value, values)):
            if form is not None and form.is_framed and (ids := form.unready(raws)):
                await self.load(ids)
                await asyncio.to_thread(form.make_ready, ids)
