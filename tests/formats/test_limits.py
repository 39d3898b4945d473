"""The sizes of schemas, before anything parses them."""

import pytest

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.errors import BadSchema, one_line
from kvs_graphql.formats.limits import FormatLimits, require_size


def test_schema_may_have_as_many_bytes_as_the_limit_with_its_references() -> None:
    schema = SchemaText("avro", "12345", (("other", SchemaText("avro", "äö")),))
    require_size(schema, FormatLimits(schema_bytes_max=9))
    with pytest.raises(BadSchema, match="more than 8 bytes"):
        require_size(schema, FormatLimits(schema_bytes_max=8))


def test_text_that_is_referred_to_twice_counts_once() -> None:
    """So a chain of texts that each refer to the next one twice takes no exponential time."""
    schema = SchemaText("avro", "x")
    for _ in range(50):
        schema = SchemaText("avro", "x", (("a", schema), ("b", schema)))
    require_size(schema, FormatLimits(schema_bytes_max=51))


def test_schema_with_many_empty_references_is_refused() -> None:
    schema = SchemaText("avro", "", tuple((f"n{n}", SchemaText("avro", "")) for n in range(3)))
    with pytest.raises(BadSchema, match="more than 2 texts"):
        require_size(schema, FormatLimits(schema_types_max=2))


def test_reason_of_a_library_becomes_one_short_line() -> None:
    assert one_line("a\n  b\r\n\tc") == "a b c"
    assert one_line("x" * 1000) == "x" * 299 + "…"
