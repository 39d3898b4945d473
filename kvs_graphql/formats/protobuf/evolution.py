"""Whether values that were written by one version of a schema can be read by another one, without a silent change.

Protobuf itself reads more: it cuts integers that are too large, takes large unsigned numbers for negative ones, and
drops fields of another wire type. Here a version that would do so cannot be read.
"""

from collections import defaultdict
from collections.abc import Iterator

from google.protobuf.descriptor import FieldDescriptor as Types

from kvs_graphql.formats.protobuf.schema import Descriptor, FieldDescriptor, ProtobufSchema

_NAMES = {getattr(Types, name): name.removeprefix("TYPE_").lower() for name in dir(Types) if name.startswith("TYPE_")}

_READS: dict[int, frozenset[int]] = {
    Types.TYPE_INT32: frozenset({Types.TYPE_BOOL, Types.TYPE_ENUM}),
    Types.TYPE_UINT32: frozenset({Types.TYPE_BOOL}),
    Types.TYPE_INT64: frozenset({Types.TYPE_INT32, Types.TYPE_UINT32, Types.TYPE_BOOL, Types.TYPE_ENUM}),
    Types.TYPE_UINT64: frozenset({Types.TYPE_UINT32, Types.TYPE_BOOL}),
    Types.TYPE_SINT64: frozenset({Types.TYPE_SINT32}),
    Types.TYPE_ENUM: frozenset({Types.TYPE_INT32, Types.TYPE_BOOL}),
    Types.TYPE_STRING: frozenset({Types.TYPE_BYTES}),  # what is not UTF-8 is noticed
    Types.TYPE_BYTES: frozenset({Types.TYPE_STRING}),
}
"""By the type that reads: which others hold nothing that it does not, written in the same way."""


def cannot_read(reader: ProtobufSchema, writer: ProtobufSchema, message: str = "") -> str | None:
    """Why a reader cannot read what a writer wrote: the first reason, in one line. None if it can.

    Args:
        message: The full name of the message that is read; the reader's first one if it is empty.
    """
    root = reader.root(message)
    written = writer.find(root.full_name)
    if written is None:
        return f"it has no message {root.full_name}"
    return next(_problems(root, written), None)


def _problems(root: Descriptor, written_root: Descriptor) -> Iterator[str]:
    pending = [(root, written_root)]
    seen = set()
    while pending:
        message, written = pending.pop()
        if (message.full_name, written.full_name) in seen:
            continue
        seen.add((message.full_name, written.full_name))
        yield from _oneof_problems(message, written)
        for field in message.fields:
            before = written.fields_by_number.get(field.number)
            if field.is_required and not (before is not None and before.is_required):
                yield f"{field.full_name} is required, but was not always"
            if before is None:
                continue
            yield from _field_problems(field, before)
            if field.message_type is not None and before.message_type is not None:
                pending.append((field.message_type, before.message_type))


def _field_problems(field: FieldDescriptor, before: FieldDescriptor) -> Iterator[str]:
    if field.type != before.type and before.type not in _READS.get(field.type, ()):
        yield f"{field.full_name} has the type {_NAMES[field.type]}, but was {_NAMES[before.type]} before"
    if before.is_repeated and not field.is_repeated:
        yield f"{field.full_name} was repeated before"
    if field.enum_type is not None and field.enum_type.is_closed:
        known = {value.number for value in field.enum_type.values}
        gone = [] if before.enum_type is None else [one for one in before.enum_type.values if one.number not in known]
        if gone:
            yield f"{field.enum_type.full_name} has no number {gone[0].number}, which was {gone[0].name} before"
        elif before.enum_type is None:
            yield f"{field.full_name} was no enumeration before, and its own is closed"


def _oneof_problems(message: Descriptor, written: Descriptor) -> Iterator[str]:
    """A message may have had several fields set that now exclude each other."""
    before = defaultdict(set)
    for field in message.fields:
        was = written.fields_by_number.get(field.number)
        if field.containing_oneof is not None and was is not None:
            oneof = was.containing_oneof
            before[field.containing_oneof.full_name].add(oneof.full_name if oneof is not None else was.full_name)
    for name, groups in before.items():
        if len(groups) > 1:
            yield f"fields of {name} did not exclude each other before"
