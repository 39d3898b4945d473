"""What all formats with a schema have in common."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kvs_graphql.formats.errors import BadSchema, one_line
from kvs_graphql.formats.shapes import Shape


@dataclass(frozen=True, slots=True)
class SchemaText:
    """A schema as it is written, with the texts that it refers to."""

    format: str
    """`avro`, `protobuf` or `json_schema`."""
    text: str
    references: tuple[tuple[str, "SchemaText"], ...] = ()
    """By the name that the text uses: a full name of Avro, a path of Protobuf, a URI of JSON Schema."""

    def all_references(self) -> dict[str, str]:
        """The names and texts of all that the schema refers to, at any depth.

        Raises:
            BadSchema: Two texts have the same name.
        """
        found = dict[str, str]()
        pending = [self]
        seen = {id(self)}
        while pending:
            for name, referred in pending.pop().references:
                if found.setdefault(name, referred.text) != referred.text:
                    raise BadSchema(f"the schema refers to two texts as {one_line(name)}")
                if id(referred) not in seen:
                    seen.add(id(referred))
                    pending.append(referred)
        return found


def schema_to_json(schema: SchemaText) -> str:
    """A schema as one text, to be kept."""
    return json.dumps(_listed(schema))


def schema_from_json(text: str) -> SchemaText:
    """The reverse of `schema_to_json`."""
    return _schema(*json.loads(text))


def _listed(schema: SchemaText) -> list[Any]:
    return [schema.format, schema.text, [[name, *_listed(one)] for name, one in schema.references]]


def _schema(written: str, text: str, references: list[list[Any]]) -> SchemaText:
    return SchemaText(written, text, tuple((name, _schema(*one)) for name, *one in references))


Check = Callable[[], None] | None
"""What is called between the pieces of what may take long, and may raise; None to do it in one piece."""


class Codec(Protocol):
    """Decodes values into the shape of one schema, the reader's, and encodes them by it.

    A writer is the parsed form of the schema that a value was written with: what `parse` gave for its text.
    """

    @property
    def shape(self) -> Shape: ...

    @property
    def converts_to_json(self) -> bool:
        """Whether `as_json` makes something of each part, which may take long: others get the interpreter meanwhile."""
        ...

    def parse(self, schema: SchemaText) -> Any:
        """A writer's schema, made ready to decode with.

        Raises:
            BadSchema: It is not a schema of this format, it is too large, or it cannot be read by this codec's schema.
        """
        ...

    def decode(self, payload: bytes, writer: Any, check: Check = None) -> Any:
        """A value of `shape`, from bytes after the framing.

        With `check`, others get the interpreter at least every few milliseconds, where this is done in a thread.

        Raises:
            Undecodable: The bytes are not what the writer's schema says, or hold more than a value may.
        """
        ...

    def encode(self, value: Any) -> bytes:
        """The bytes of a value as GraphQL's input types give it.

        Raises:
            DoesNotFit: The schema has no room for it. It names the path.
        """
        ...

    def as_json(self, decoded: Any, check: Check = None) -> bytes:
        """A decoded value as JSON text. `check` is called between the objects of one that may have very many."""
        ...
