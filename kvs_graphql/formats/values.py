"""Values with a schema: from the bytes of a record to decoded values, with or without a registry's framing."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kvs_graphql.formats.codec import Codec, SchemaText
from kvs_graphql.formats.errors import BadSchema, DoesNotFit, Undecodable
from kvs_graphql.formats.framing import FRAME_BYTES, frame, schema_id_of


class SchemaFormat:
    """The format of a table's keys or values, as one generation of its schema has it."""

    def __init__(
        self,
        codec: Codec,
        served: SchemaText | None = None,
        served_id: int | None = None,
        schemas: Mapping[int, SchemaText] | None = None,
    ) -> None:
        """`served` is None for a format without a schema.

        Where records are framed, `served_id` is its id, and `schemas` has the texts by id; more may be added meanwhile.
        """
        self.shape = codec.shape
        self.served_id = served_id
        self._codec = codec
        self._served = served
        self._schemas: Mapping[int, SchemaText] = {} if schemas is None else schemas
        self._writers: dict[int | None, Any] = {}

    def missing(self, raw: bytes) -> int | None:
        """The id of the schema that these bytes need and that is not there; None where nothing is missing."""
        if self.served_id is None:
            return None
        schema_id = schema_id_of(raw)
        return None if schema_id is None or schema_id in self._schemas else schema_id

    def decode(self, raw: bytes) -> Any:
        """Raises: Undecodable: The bytes are not what their schema says, or there is no such schema."""
        if self.served_id is None:
            return self._codec.decode(raw, self._writer(None))
        schema_id = schema_id_of(raw)
        if schema_id is None:
            raise Undecodable("the bytes do not begin with a schema's id")
        try:
            return self._codec.decode(raw[FRAME_BYTES:], self._writer(schema_id))
        except Undecodable as error:
            raise Undecodable(error.reason, schema_id) from None

    def encode(self, value: Any) -> bytes:
        """The bytes of a record. Raises: DoesNotFit: The schema has no room for the value."""
        payload = self._codec.encode(value)
        return payload if self.served_id is None else frame(self.served_id, payload)

    def as_json(self, decoded: Any) -> bytes:
        """A decoded value as JSON text."""
        return self._codec.as_json(decoded)

    def _writer(self, schema_id: int | None) -> Any:
        writer = self._writers.get(schema_id)
        if writer is None:
            schema = self._served if schema_id is None else self._schemas.get(schema_id)
            if schema_id is None and schema is None:
                return None
            if schema is None:
                raise Undecodable("the registry did not tell the schema")
            try:
                writer = self._codec.parse(schema)
            except BadSchema as error:
                writer = Undecodable(str(error))
            self._writers[schema_id] = writer
        if isinstance(writer, Undecodable):
            raise writer
        return writer


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

    @property
    def has_encodings(self) -> bool:
        """Whether a key may have several."""
        return self.served_id is not None

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


async def _load_nothing(_: Collection[int | None]) -> None:
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
    load: Callable[[Collection[int | None]], Awaitable[None]] = _load_nothing
    """Loads the schemas with these ids, as far as that takes no longer than a request should wait; never raises."""
