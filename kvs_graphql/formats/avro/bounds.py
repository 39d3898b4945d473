"""What is known of the sizes of all values of a type, before any of them is seen."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from kvs_graphql.formats.avro.types import Array, AvroType, Fixed, Map, Record, Union, direct_records, inner_types
from kvs_graphql.formats.errors import BadSchema
from kvs_graphql.formats.limits import FormatLimits

_BYTES = {"null": 0, "float": 4, "double": 8}
_EMPTY_WEIGHT = 10
_DEFAULTS_PER_ITEM = 10
_Quantity = TypeVar("_Quantity", int, float)


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """What the values of a type, and those within them, can be like."""

    recursion: "Recursion | None"
    """How records may lie in themselves, by way of others."""
    empties: dict[Record, int]
    """Values without any bytes, such as nulls, that each value of a record contains; some defaults are as one."""
    bytes_min: dict[Record, float]
    """The fewest bytes of any value of a record."""

    def weight(self, avro_type: AvroType, *, keyed: bool) -> int:
        """As how many items an item of that type counts: with what it contains that takes no bytes.

        An item without any bytes counts more often, unless it has a key: nothing else bounds how many there are.
        """
        weight = max(1, _empties(avro_type, self.empties, self.bytes_min))
        return weight if keyed or self.has_bytes(avro_type) else _EMPTY_WEIGHT * weight

    def has_bytes(self, avro_type: AvroType) -> bool:
        """Whether values of that type have any bytes; if not, all of them are the same."""
        return _bytes_min(avro_type, self.bytes_min) > 0

    def items_per_byte_max(self, root: AvroType) -> float:
        """The most items for each byte of a value; what the branch of a union contains without bytes counts, too."""
        return max(map(self._items_per_byte, _types(root)), default=1)

    def _items_per_byte(self, avro_type: AvroType) -> float:
        if isinstance(avro_type, Array) and not _bytes_min(avro_type.items, self.bytes_min):
            return math.inf
        if isinstance(avro_type, Array | Map):
            return max(self.weight(item, keyed=isinstance(avro_type, Map)) for item in inner_types(avro_type))
        return 1 + max((self.empties[one] for one in inner_types(avro_type) if isinstance(one, Record)), default=0)


@dataclass(frozen=True, slots=True)
class Recursion:
    """How deep values can be, where records may lie in themselves.

    Follow the records that lie in each other from the root to the deepest one; a record that is a field of another one
    belongs to it. Those that can lie in themselves have bytes of their own, and each other one is there once.
    """

    records_once: int
    levels_max: int
    """The most levels that one of them adds, with lists and maps on the way to the next one."""
    bytes_min: int
    """The fewest bytes of its own of one that can lie in itself."""

    def bytes_within(self, depth_max: int) -> int:
        """The most bytes of which a value cannot be deeper than that."""
        repeated = depth_max // self.levels_max - self.records_once - 1
        return -1 if repeated < 0 else (repeated + 1) * self.bytes_min - 1


def bounds_of(root: AvroType, limits: FormatLimits, defaults: Mapping[Record, int]) -> Bounds:
    """The bounds of a schema's values, whose records get so many fields with defaults when they are read.

    Raises:
        BadSchema: A value would have to contain itself, or more than a value may.
    """
    records = _inner_first(root)
    bytes_min = _settled(records, math.inf, lambda record, known: sum(_bytes_min(f.type, known) for f in record.fields))
    endless = [record.name for record in records if bytes_min[record] == math.inf]
    if endless:
        raise BadSchema(f"each value of {endless[0]} contains another one, without an end")
    parts = _settled(records, 1, lambda record, known: 1 + sum(_parts(f.type, known) for f in record.fields))
    if max(parts.values(), default=0) > limits.schema_fields_max:
        raise BadSchema(f"each value contains more than {limits.schema_fields_max:,} fields of records")
    recursion = _recursion_of(root, records)
    if not recursion and _depth(root, _settled(records, 0, _record_depth)) > limits.depth_max:
        raise BadSchema(f"values are nested deeper than {limits.depth_max:,} levels")
    added = {record: number // _DEFAULTS_PER_ITEM for record, number in defaults.items()}
    empties = _settled(
        records, 0, lambda record, known: added.get(record, 0) + _record_empties(record, known, bytes_min)
    )
    return Bounds(recursion, empties, bytes_min)


def _recursion_of(root: AvroType, records: list[Record]) -> Recursion | None:
    repeating = _repeating(records)
    if not repeating:
        return None
    own_bytes = _settled(records, 0, lambda record, known: sum(_own_bytes(each.type, known) for each in record.fields))
    levels = _settled(
        records, 1, lambda record, known: 1 + max((_levels(f.type, known) for f in record.fields), default=0)
    )
    levels_max = max(*levels.values(), _levels(root, levels))
    once = len(records) - len(repeating) + (not isinstance(root, Record))
    return Recursion(once, levels_max, min(own_bytes[record] for record in repeating))


def _repeating(records: list[Record]) -> set[Record]:
    """The records that can lie in themselves, and those between two such."""
    inner = {record: set(direct_records(record)) for record in records}
    left = set(records)
    changed = True
    while changed:
        containing = {one for record in left for one in inner[record]}
        kept = {record for record in left if record in containing and inner[record] & left}
        changed = len(kept) < len(left)
        left = kept
    return left


def _inner_first(root: AvroType) -> list[Record]:
    """All records; as far as they do not lie in themselves, those that others contain come first."""
    begun: set[Record] = set()
    order: list[Record] = []
    pending = [(record, False) for record in _records(root)]
    while pending:
        record, is_left = pending.pop()
        if is_left:
            order.append(record)
        elif record not in begun:
            begun.add(record)
            pending.append((record, True))
            pending.extend((one, False) for one in direct_records(record))
    return order


def _records(root: AvroType) -> list[Record]:
    return [root] if isinstance(root, Record) else direct_records(root)


def _types(root: AvroType) -> list[AvroType]:
    """All types, each once."""
    seen = {root: None}
    pending = [root]
    while pending:
        for one in inner_types(pending.pop()):
            if one not in seen:
                seen[one] = None
                pending.append(one)
    return list(seen)


def _settled(
    records: list[Record], first: _Quantity, of: Callable[[Record, dict[Record, _Quantity]], _Quantity]
) -> dict[Record, _Quantity]:
    """A quantity of each record that depends on those of others, repeated until it changes no more."""
    known = dict.fromkeys(records, first)
    changed = True
    while changed:
        changed = False
        for record in records:
            quantity = of(record, known)
            changed |= quantity != known[record]
            known[record] = quantity
    return known


def _bytes_min(avro_type: AvroType, known: dict[Record, float]) -> float:
    match avro_type:
        case Record():
            return known[avro_type]
        case Union():
            return 1 + min(_bytes_min(branch, known) for branch in avro_type.branches)
        case Fixed():
            return avro_type.size
        case _:
            return _BYTES.get(avro_type.kind, 1)


def _parts(avro_type: AvroType, known: dict[Record, int]) -> int:
    return known[avro_type] if isinstance(avro_type, Record) else 1


def _record_depth(record: Record, known: dict[Record, int]) -> int:
    return 1 + max((_depth(each.type, known) for each in record.fields), default=0)


def _depth(avro_type: AvroType, known: dict[Record, int]) -> int:
    match avro_type:
        case Record():
            return known[avro_type]
        case Array() | Map() | Union():
            below = max(_depth(one, known) for one in inner_types(avro_type))
            return below if isinstance(avro_type, Union) else below + 1
        case _:
            return 0


def _own_bytes(avro_type: AvroType, known: dict[Record, int]) -> int:
    """The fewest bytes of a field, without those of the records that a union, list or map in it holds."""
    match avro_type:
        case Record():
            return known[avro_type]
        case Fixed():
            return avro_type.size
        case _:
            return _BYTES.get(avro_type.kind, 1)


def _levels(avro_type: AvroType, known: dict[Record, int]) -> int:
    """The levels of a field down to the next record that a union, list or map in it holds."""
    match avro_type:
        case Record():
            return known[avro_type]
        case Array() | Map() | Union():
            below = max(
                (_levels(one, known) for one in inner_types(avro_type) if not isinstance(one, Record)), default=0
            )
            return below if isinstance(avro_type, Union) else below + 1
        case _:
            return 0


def _record_empties(record: Record, known: dict[Record, int], bytes_min: dict[Record, float]) -> int:
    return (not bytes_min[record]) + sum(_empties(each.type, known, bytes_min) for each in record.fields)


def _empties(avro_type: AvroType, known: dict[Record, int], bytes_min: dict[Record, float]) -> int:
    if isinstance(avro_type, Record):
        return known[avro_type]
    return int(not _bytes_min(avro_type, bytes_min))
