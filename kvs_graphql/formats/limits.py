"""How large schemas and values may be."""

from collections.abc import Iterator
from dataclasses import dataclass

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.errors import BadSchema


@dataclass(frozen=True, slots=True)
class FormatLimits:
    """What a schema, and a value that is decoded or encoded by one, may have at most."""

    schema_bytes_max: int = 1_048_576
    """Bytes of a schema's text, together with the texts that it refers to."""
    schema_types_max: int = 1_000
    """Named types of a schema."""
    schema_fields_max: int = 10_000
    """Fields of all types of a schema together, and values of its enumerations."""
    depth_max: int = 100
    """How deep structs, lists and maps lie in each other, in schemas and in values."""
    items_max: int = 100_000
    """Items of all lists and maps of one value together."""
    decimal_digits_max: int = 1_000
    """Digits of a decimal number."""


def require_size(schema: SchemaText, limits: FormatLimits) -> None:
    """Refuse a schema whose texts are too large before anything parses them.

    Raises:
        BadSchema: It has too many bytes, or refers to too many texts.
    """
    bytes_left = limits.schema_bytes_max
    for count, text in enumerate(_texts(schema)):
        # Each character has at least one byte, so that a huge text need not be encoded.
        bytes_left -= len(text) if len(text) > bytes_left else len(text.encode(errors="surrogatepass"))
        if bytes_left < 0:
            raise BadSchema(f"the schema has more than {limits.schema_bytes_max:,} bytes with its references")
        if count > limits.schema_types_max:
            raise BadSchema(f"the schema refers to more than {limits.schema_types_max:,} texts")


def _texts(schema: SchemaText) -> Iterator[str]:
    """The text of a schema and of all that it refers to, each object once."""
    pending = [schema]
    seen = {id(schema)}
    while pending:
        one = pending.pop()
        yield one.text
        for _, referred in one.references:
            if id(referred) not in seen:
                seen.add(id(referred))
                pending.append(referred)
