"""Debezium's envelopes in Avro.

Their fields begin with `before`, `after` and `source`; `op` comes behind them. The library decodes only as far as it
has to, and skips what nobody asks for.
"""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

from fastavro import schemaless_reader

from kvs_graphql.formats.avro.codec import BROKEN, AvroCodec, Writer, measured, why_broken
from kvs_graphql.formats.avro.parsing import parse_schema
from kvs_graphql.formats.avro.types import AvroType, Record, Union
from kvs_graphql.formats.avro.wire import is_plain_record
from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.debezium import require_op
from kvs_graphql.formats.errors import BadSchema, DoesNotFit, Undecodable
from kvs_graphql.formats.limits import FormatLimits


def op_reader(schema: SchemaText, limits: FormatLimits) -> Callable[[bytes], str]:
    """What reads the `op` of envelopes with that schema, from the bytes after the framing.

    It raises Undecodable for bytes that are no envelope.

    Raises:
        BadSchema: The schema is not that of an envelope.
    """
    envelope = measured(_up_to(parse_schema(schema, limits), "op"), limits)
    written, walk = envelope.wire.schema, envelope.walk
    wanted = {**written, "fields": written["fields"][-1:]}

    def read(payload: bytes) -> str:
        if len(payload) > walk.unwalked_bytes_max:
            walk.check(payload)
        try:
            found: Any = schemaless_reader(BytesIO(payload), written, wanted)
        except BROKEN as error:
            raise Undecodable(why_broken(error)) from error
        return require_op(found["op"])

    return read


def envelope_codec(schema: SchemaText, name: str, reserved: frozenset[str], limits: FormatLimits) -> AvroCodec:
    """The codec of an envelope's schema, whose values are the rows after each change; None after a row was deleted.

    Raises:
        BadSchema: The schema is not that of an envelope, or too large.
    """
    return _EnvelopeCodec(_row(_up_to(parse_schema(schema, limits), "after")), name, reserved, limits)


class _EnvelopeCodec(AvroCodec):
    def parse(self, schema: SchemaText) -> Writer:
        root = _up_to(parse_schema(schema, self.limits), "after")
        envelope = measured(root, self.limits)
        convert, defaults = self.resolved(_row(root), envelope.wire)

        def row_after(decoded: Any) -> Any:
            row = decoded["after"]
            return convert(row) if convert and row is not None else row

        return Writer.of(envelope.with_defaults(defaults, self.limits), row_after, is_whole=False)

    def encode(self, value: Any) -> bytes:
        raise DoesNotFit("only Debezium writes its envelopes")


def _up_to(root: AvroType, name: str) -> Record:
    """A record without the fields behind one of them, which need not be decoded."""
    if isinstance(root, Record):
        names = [each.name for each in root.fields]
        if name in names:
            return replace(root, fields=root.fields[: names.index(name) + 1])
    raise BadSchema(f"the schema is not that of an envelope of Debezium: it is no record with the field {name}")


def _row(envelope: Record) -> Record:
    after = envelope.fields[-1].type
    others = after.others if isinstance(after, Union) else (after,)
    if len(others) == 1 and is_plain_record(others[0]):
        return others[0]
    raise BadSchema("the schema is not that of an envelope of Debezium: its field after is no record")
