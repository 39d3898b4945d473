"""The format JSON Schema, from draft 4 to 2020-12.

What maps cleanly to GraphQL is typed, the rest is JSON. Objects with properties become types; `allOf` adds properties;
objects with one schema for all further properties are maps. `oneOf` and `anyOf` are a nullable type where null is the
only alternative, and a union where each alternative has a property that is a different constant. Integers are `Int64`
unless bounds keep them within 32 bits.
"""

from kvs_graphql.formats.json_schema.codec import JsonSchemaCodec, json_schema_codec

__all__ = ["JsonSchemaCodec", "json_schema_codec"]
