"""Walks through the bytes of a value before they are decoded.

The library decodes in C, with a stack frame for each level and without a limit: a few kilobytes of records that lie in
each other end the process, and a few bytes that announce 2^60 items without bytes fill the memory. A walk finds out in
time how deep a value is and how much it holds. Most values cannot be that deep or large, and are decoded without a
walk.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kvs_graphql.formats.avro.bounds import Bounds
from kvs_graphql.formats.avro.types import Array, AvroType, Enumerated, Fixed, Map, Primitive, Record, Union
from kvs_graphql.formats.codec import Check
from kvs_graphql.formats.errors import Undecodable
from kvs_graphql.formats.limits import FormatLimits

_ITEMS_PER_CHECK = 64
_FIXED_BYTES = {"null": 0, "boolean": 1, "float": 4, "double": 8}


@dataclass(frozen=True, slots=True)
class Walk:
    """Knows which values of a type have to be walked through, and does so."""

    root: AvroType
    bounds: Bounds
    limits: FormatLimits
    unwalked_bytes_max: int
    """A value with at most so many bytes is within the limits, whatever they are; -1 if there is no such number."""

    @staticmethod
    def of(root: AvroType, bounds: Bounds, limits: FormatLimits) -> "Walk":
        """The walk through values of a type."""
        items_per_byte = bounds.items_per_byte_max(root)
        if items_per_byte == math.inf:
            return Walk(root, bounds, limits, -1)
        by_items, recursion = int(limits.items_max / items_per_byte), bounds.recursion
        by_depth = by_items if recursion is None else recursion.bytes_within(limits.depth_max)
        return Walk(root, bounds, limits, min(by_items, by_depth))

    def check(self, payload: bytes, check: Check = None) -> None:
        """Walk through a value; `check` is called now and then.

        Raises:
            Undecodable: It is deeper or holds more than the limits allow, or ends too early.
        """
        try:
            _PASSES[self.root.kind](_Walker(payload, self.bounds, self.limits, check), self.root, 0)
        except IndexError as error:
            raise Undecodable("the value ends too early") from error


class _Walker:
    __slots__ = ("_at", "_check", "_depth_max", "_items_left", "_items_max", "_payload", "bounds")

    def __init__(self, payload: bytes, bounds: Bounds, limits: FormatLimits, check: Check) -> None:
        self.bounds = bounds
        self._check = check
        self._payload = payload
        self._at = 0
        self._depth_max = limits.depth_max
        self._items_max = self._items_left = limits.items_max

    def pass_bytes(self, count: int) -> None:
        self._at += count
        if count < 0 or self._at > len(self._payload):
            raise Undecodable("the value ends too early")

    def number(self) -> int:
        payload, at = self._payload, self._at
        byte = payload[at]
        number, shift = byte & 127, 7
        while byte > 127:
            if shift > 63:
                raise Undecodable("the value has a number of more than 64 bits")
            at += 1
            byte = payload[at]
            number |= (byte & 127) << shift
            shift += 7
        self._at = at + 1
        return (number >> 1) ^ -(number & 1)

    def check(self) -> None:
        if self._check is not None:
            self._check()

    def take_items(self, count: int) -> None:
        self._items_left -= count
        if self._items_left < 0:
            raise Undecodable(f"the value has more than {self._items_max:,} items")

    def deeper(self, depth: int) -> int:
        self.check()
        if depth >= self._depth_max:
            raise Undecodable(f"the value is nested deeper than {self._depth_max:,} levels")
        return depth + 1


def _pass_fixed_primitive(walker: _Walker, primitive: Primitive, _depth: int) -> None:
    walker.pass_bytes(_FIXED_BYTES[primitive.kind])


def _pass_counted(walker: _Walker, _primitive: Primitive, _depth: int) -> None:
    walker.pass_bytes(walker.number())


def _pass_integer(walker: _Walker, _primitive: Primitive, _depth: int) -> None:
    walker.number()


def _pass_fixed(walker: _Walker, fixed: Fixed, _depth: int) -> None:
    walker.pass_bytes(fixed.size)


def _pass_enumerated(walker: _Walker, enumerated: Enumerated, _depth: int) -> None:
    if not 0 <= walker.number() < len(enumerated.symbols):
        raise Undecodable(f"the value has a symbol that {enumerated.name} does not have")


def _pass_record(walker: _Walker, record: Record, depth: int) -> None:
    below = walker.deeper(depth)
    for each in record.fields:
        _PASSES[each.type.kind](walker, each.type, below)


def _pass_union(walker: _Walker, union: Union, depth: int) -> None:
    index = walker.number()
    if not 0 <= index < len(union.branches):
        raise Undecodable("the value has a branch that its union does not have")
    branch = union.branches[index]
    if isinstance(branch, Record):
        walker.take_items(walker.bounds.empties[branch])
    _PASSES[branch.kind](walker, branch, depth)


def _pass_array(walker: _Walker, array: Array, depth: int) -> None:
    _pass_blocks(walker, array.items, depth, keyed=False)


def _pass_map(walker: _Walker, a_map: Map, depth: int) -> None:
    _pass_blocks(walker, a_map.values, depth, keyed=True)


def _pass_blocks(walker: _Walker, item: AvroType, depth: int, *, keyed: bool) -> None:
    below, weight = walker.deeper(depth), walker.bounds.weight(item, keyed=keyed)
    pass_item = _PASSES[item.kind]
    while count := walker.number():
        if count < 0:
            walker.number()
        walker.take_items(abs(count) * weight)
        if not keyed and not walker.bounds.has_bytes(item):
            continue
        for number in range(abs(count)):
            if number % _ITEMS_PER_CHECK == 0:
                walker.check()
            if keyed:
                walker.pass_bytes(walker.number())
            pass_item(walker, item, below)


_PASSES: dict[str, Callable[[_Walker, Any, int], None]] = {
    **dict.fromkeys(("null", "boolean", "float", "double"), _pass_fixed_primitive),
    **dict.fromkeys(("bytes", "string"), _pass_counted),
    **dict.fromkeys(("int", "long"), _pass_integer),
    "fixed": _pass_fixed,
    "enum": _pass_enumerated,
    "record": _pass_record,
    "union": _pass_union,
    "array": _pass_array,
    "map": _pass_map,
}
