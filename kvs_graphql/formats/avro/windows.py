"""Decodes large values in pieces: no call of the library reads more than a window of their bytes.

The library decodes in C, without giving the interpreter to anybody else: tens of thousands of small items take up to a
tenth of a second. Here it decodes a few items in each call, and the parts of one that is larger than a window.
"""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import chain
from typing import Any

from fastavro import schemaless_reader

from kvs_graphql.formats.avro.types import Array, AvroType, Fixed, Map, Primitive, Record, Union
from kvs_graphql.formats.avro.wire import Wire, is_plain_record, run_schema

WINDOW_BYTES = 4_096
_RUNS: Sequence[int] = (32, 8, 1)
"""How many items are decoded in one call: as many as a window has, or fewer."""


class Runs:
    """The library's schemas of some values of a type, one after the other."""

    def __init__(self, wire: Wire) -> None:
        """Take the schema of whole values."""
        self.wire = wire
        self._schemas: dict[tuple[AvroType, int, bool], Any] = {}

    def schema(self, avro_type: AvroType, number: int, *, keyed: bool) -> Any:
        """That of so many values, each with a key before it where they are those of a map."""
        asked = avro_type, number, keyed
        if asked not in self._schemas:
            self._schemas[asked] = run_schema(avro_type, number, self.wire, keyed=keyed)
        return self._schemas[asked]


class Windows:
    """One value that is decoded. It must be within the limits."""

    def __init__(
        self, stream: BytesIO, runs: Runs, check: Callable[[], None], broken: tuple[type[Exception], ...]
    ) -> None:
        """`check` is called before each piece, and may raise; `broken` is what the library raises for bad bytes."""
        self._stream = stream
        self._runs = runs
        self._options: dict[str, Any] = runs.wire.options
        self._check = check
        self._broken = broken
        self._error: Exception = EOFError()

    def root(self, root: AvroType) -> Any:
        """A whole value, as the library gives it; the stream stands behind it."""
        value = self._parts(root) if isinstance(root, Record) else self._value(root)
        return {"value": value} if self._runs.wire.wraps_root else value

    def _value(self, avro_type: AvroType) -> Any:
        # Mostly, it is lists that are larger than a window.
        found = None if isinstance(avro_type, Array | Map) else self._run(avro_type, 1)
        return self._parts(avro_type) if found is None else found[0]

    def _run(self, avro_type: AvroType, number: int, *, keyed: bool = False) -> list[Any] | None:
        """Values, and their keys, one after the other; None where they have more bytes than a window."""
        self._check()
        begin = self._stream.tell()
        window = BytesIO(self._stream.read(WINDOW_BYTES))
        schema = self._runs.schema(avro_type, number, keyed=keyed)
        try:
            found: Any = schemaless_reader(window, schema, None, **self._options)
        except self._broken as error:
            self._error = error
            self._stream.seek(begin)
            return None
        self._stream.seek(begin + window.tell())
        return list(found.values())

    def _parts(self, avro_type: AvroType) -> Any:
        """A value that is larger than a window."""
        match avro_type:
            case Record():
                return {each.name: self._value(each.type) for each in avro_type.fields}
            case Array():
                return [item for count in self._blocks() for item in self._many(avro_type.items, count)]
            case Map():
                each = chain.from_iterable(self._many(avro_type.values, count, keyed=True) for count in self._blocks())
                return dict(zip(each, each, strict=True))
            case Union():
                return self._branch(avro_type)
            case _:
                return self._bytes_or_text(avro_type)

    def _bytes_or_text(self, avro_type: AvroType) -> Any:
        match avro_type:
            case Fixed():
                return self._bytes(avro_type.size)
            case Primitive(kind="bytes"):
                return self._bytes(self._number())
            case Primitive(kind="string"):
                return self._bytes(self._number()).decode()
            case _:
                raise self._error

    def _branch(self, union: Union) -> Any:
        index = self._number()
        if not 0 <= index < len(union.branches):
            raise LookupError
        branch = union.branches[index]
        value = self._value(branch)
        tags = self._runs.wire.tags.get(union)
        if tags is None or branch.kind == "null":
            return value
        return tags[index], value if is_plain_record(branch) else {"value": value}

    def _blocks(self) -> Iterator[int]:
        while count := self._number():
            if count < 0:
                self._number()
            yield abs(count)

    def _many(self, avro_type: AvroType, count: int, *, keyed: bool = False) -> Iterator[Any]:
        """Values one after the other, each after its key where they have keys."""
        runs = _RUNS
        while count:
            while runs[0] > count:
                runs = runs[1:]
            found = self._run(avro_type, runs[0], keyed=keyed)
            if found is not None:
                yield from found
                count -= runs[0]
            elif len(runs) > 1:
                runs = runs[1:]
            else:
                if keyed:
                    yield self._bytes(self._number()).decode()
                yield self._value(avro_type)
                count -= 1

    def _number(self) -> int:
        number: Any = schemaless_reader(self._stream, _LONG, None)
        return int(number)

    def _bytes(self, count: int) -> bytes:
        data = self._stream.read(max(count, 0))
        if len(data) != count:
            raise EOFError
        return data


_LONG: Any = "long"
