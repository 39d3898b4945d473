"""The defaults of fields, from JSON in a schema to values as they are decoded or encoded."""

from typing import Any

from kvs_graphql.formats.avro.types import NO_DEFAULT, Array, AvroType, Enumerated, Fixed, Map, Record, Union
from kvs_graphql.formats.avro.wire import Wire, is_plain_record
from kvs_graphql.formats.errors import BadSchema
from kvs_graphql.formats.limits import FormatLimits


class Defaults:
    """Makes the defaults of one schema's fields."""

    def __init__(self, wire: Wire, limits: FormatLimits, *, encoding: bool = False) -> None:
        """Make them as the library decodes them or, where it differs, as it encodes them."""
        self._wire = wire
        self._encoding = encoding
        self._depth_max = limits.depth_max
        self._values_left = limits.items_max

    def of(self, avro_type: AvroType, default: Any) -> Any:
        """The value of a default, or NO_DEFAULT if there is none or it does not fit its type.

        Raises:
            BadSchema: The defaults of the schema are too large together.
        """
        try:
            return NO_DEFAULT if default is NO_DEFAULT else self._value(avro_type, default, 0)
        except ValueError:
            return NO_DEFAULT

    def _value(self, avro_type: AvroType, default: Any, depth: int) -> Any:
        self._values_left -= 1
        if self._values_left < 0:
            raise BadSchema("the defaults of the schema are too large")
        if depth > self._depth_max:
            raise ValueError
        match avro_type, default:
            case Union(), _:
                return self._branch(avro_type, default, depth)
            case Record(), dict():
                return {each.name: self._field(each.type, default, each, depth) for each in avro_type.fields}
            case Array(), list():
                return [self._value(avro_type.items, one, depth + 1) for one in default]
            case Map(), dict():
                return {key: self._value(avro_type.values, one, depth + 1) for key, one in default.items()}
            case _:
                return _leaf(avro_type, default)

    def _field(self, avro_type: AvroType, given: dict[str, Any], field: Any, depth: int) -> Any:
        default = given.get(field.name, field.default)
        if default is NO_DEFAULT:
            raise ValueError
        return self._value(avro_type, default, depth + 1)

    def _branch(self, union: Union, default: Any, depth: int) -> Any:
        """The value in the first branch that it fits."""
        for index, branch in enumerate(union.branches):
            try:
                value = self._value(branch, default, depth)
            except ValueError:
                continue
            if union in self._wire.tags:
                if branch.kind == "null":
                    return ("null", None) if self._encoding else None
                return self._wire.tags[union][index], value if is_plain_record(branch) else {"value": value}
            return (self._wire.branch_name(union, index), value) if self._encoding else value
        raise ValueError


def _leaf(avro_type: AvroType, default: Any) -> Any:
    match avro_type.kind, default:
        case ("null", None) | ("boolean", bool()) | ("string", str()):
            return default
        case "enum", str() if isinstance(avro_type, Enumerated) and default in avro_type.symbols:
            return default
        case (("float" | "double"), (int() | float())) if not isinstance(default, bool):
            return float(default)
        case (("int" | "long"), int()) if not isinstance(default, bool):
            if -(limit := 2**31 if avro_type.kind == "int" else 2**63) <= default < limit:
                return default
        case (("bytes" | "fixed"), str()):
            value = default.encode("latin-1")
            if not isinstance(avro_type, Fixed) or len(value) == avro_type.size:
                return value
    raise ValueError
