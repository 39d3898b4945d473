"""The schema that the library decodes and encodes with: the same bytes, in values that say all that they are.

- Without logical types: what they mean is shown from the whole numbers and bytes, exactly, and without the library's
  global functions for them.
- Each branch of a union of several types is a record: another type has a record around it, with the one field `value`.
  A record with one field has the bytes of that field alone. So a decoded value is a pair of its branch's tag and a
  dictionary, where the library would not tell int from long.
- The root is a record, in the same way.
- Types have short names of their own, because names in schemas need not be legal.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeGuard

from fastavro import parse_schema
from fastavro.schema import SchemaParseException

from kvs_graphql.formats.avro.types import Array, AvroType, Enumerated, Fixed, Map, Record, Union
from kvs_graphql.formats.errors import BadSchema, one_line


@dataclass(slots=True)
class Wire:
    """A schema of the library, and how its decoded values name what they are."""

    schema: Any = None
    wraps_root: bool = False
    names: dict[AvroType, str] = field(default_factory=dict)
    """The names of records, enums and fixed."""
    tags: dict[Union, tuple[str, ...]] = field(default_factory=dict)
    """Of unions with several types other than null: the tag of each branch."""
    numbers: "count[int]" = field(default_factory=count)

    @property
    def options(self) -> dict[str, bool]:
        """What the library decodes with. It needs names only where a union has several types, and is faster without."""
        return {"return_record_name": True, "return_record_name_override": True} if self.tags else {}

    def branch_name(self, union: Union, index: int) -> str:
        """What the library calls a branch when it encodes."""
        branch = union.branches[index]
        return self.tags[union][index] if union in self.tags else self.names.get(branch, branch.kind)


def is_plain_record(avro_type: AvroType) -> TypeGuard[Record]:
    """Whether a type is an object with fields. A record without fields is a value like any other."""
    return isinstance(avro_type, Record) and bool(avro_type.fields)


def wire_of(root: AvroType) -> Wire:
    """The library's schema for a type.

    Raises:
        BadSchema: Its types lie too deep in each other.
    """
    wire = Wire(wraps_root=not is_plain_record(root))
    try:
        schema = _schema(root, wire)
        wire.schema = parse_schema(_wrapper("root", schema) if wire.wraps_root else schema)
    except RecursionError as error:
        raise BadSchema("the types of the schema lie too deep in each other") from error
    except SchemaParseException as error:
        raise BadSchema(one_line(error)) from error
    return wire


def _schema(avro_type: AvroType, wire: Wire) -> Any:
    match avro_type:
        case Record() | Enumerated() | Fixed():
            return wire.names.get(avro_type) or _definition(avro_type, wire)
        case Array():
            return {"type": "array", "items": _schema(avro_type.items, wire)}
        case Map():
            return {"type": "map", "values": _schema(avro_type.values, wire)}
        case Union() if len(avro_type.others) > 1:
            return _tagged_union(avro_type, wire)
        case Union():
            return [_schema(branch, wire) for branch in avro_type.branches]
        case _:
            return avro_type.kind


def _definition(named: Record | Enumerated | Fixed, wire: Wire) -> dict[str, Any]:
    wire.names[named] = name = f"t{next(wire.numbers)}"
    definition: dict[str, Any] = {"type": named.kind, "name": name}
    match named:
        case Record():
            fields = [{"name": each.name, "type": _schema(each.type, wire)} for each in named.fields]
            return definition | {"fields": fields}
        case Enumerated():
            return definition | {"symbols": list(named.symbols)}
        case Fixed():
            return definition | {"size": named.size}


def _tagged_union(union: Union, wire: Wire) -> list[Any]:
    schemas: list[Any] = []
    tags = []
    for branch in union.branches:
        schema = _schema(branch, wire)
        if branch.kind == "null":
            tags.append("null")
        elif is_plain_record(branch):
            tags.append(wire.names[branch])
        else:
            tags.append(f"b{next(wire.numbers)}")
            schema = _wrapper(tags[-1], schema)
        schemas.append(schema)
    wire.tags[union] = tuple(tags)
    return schemas


def _wrapper(name: str, schema: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": "value", "type": schema}]}
